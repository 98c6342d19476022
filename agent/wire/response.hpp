// Answers of the v1 agent operator API: values in, bytes of a mesos.v1.agent.Response out.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/containers/manager.hpp"
#include "agent/wire/build_info.hpp"
#include "agent/wire/media.hpp"

namespace gantry::agent::wire {

std::string encodeHealth(bool healthy, Media media);

// Version, and when and by whom it was built, as far as known.
std::string encodeVersion(const BuildInfo& build, Media media);

// Flag name to value.
std::string encodeFlags(const std::map<std::string, std::string>& flags, Media media);

struct FileInfo {
  std::string path;
  std::uint32_t links = 0;
  std::uint64_t size = 0;
  std::chrono::nanoseconds modified{};  // since the epoch
  std::uint32_t mode = 0;
  std::string user;
  std::string group;
};
std::string encodeFileList(const std::vector<FileInfo>& files, Media media);

// `size` is the whole file's.
std::string encodeFileContent(std::uint64_t size, std::string data, Media media);

struct ContainerEntry {
  ContainerStatus status;
  // Of a task; without one the container is a standalone or a nested one.
  struct Executor {
    std::string framework;
    std::string id;
    std::string name;
  };
  std::optional<Executor> executor;
  std::optional<isolators::Usage> usage;
  // When the usage was measured.
  Clock::time_point measured;
};
std::string encodeContainers(const std::vector<ContainerEntry>& containers, Media media);

// `nested` names the answer WAIT_NESTED_CONTAINER.
std::string encodeTermination(const Termination& termination, bool nested, Media media);

// mesos.v1.ContainerStatus and ResourceStatistics on their own, in JSON, for our own paths.
std::string containerStatusJson(const ContainerStatus& status);
std::string statisticsJson(const isolators::Usage& usage, Clock::time_point measured);

}  // namespace gantry::agent::wire
