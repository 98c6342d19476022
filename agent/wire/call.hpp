// What a client of the v1 agent operator API asks for, as values. Reading a call checks all of it: fields this agent
// does not act on are refused by name, so that a call that was understood is a call that can be carried out.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "agent/containers/manager.hpp"
#include "agent/wire/media.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "isolators/request.hpp"

namespace gantry::agent::wire {

struct GetHealth {};
struct GetVersion {};
struct GetFlags {};

struct GetState {};
struct GetTasks {};
struct GetExecutors {};
struct GetFrameworks {};
struct GetAgent {};
struct GetOperations {};
struct GetResourceProviders {};
struct GetLoggingLevel {};

struct GetMetrics {
  // How long the answer may take; ours are never that slow.
  std::optional<std::chrono::nanoseconds> timeout;
};

struct SetLoggingLevel {
  std::uint32_t level = 0;
  std::chrono::nanoseconds duration{};
};

struct PruneImages {
  // References of images to be kept.
  std::vector<std::string> excluded;
};

struct GetContainers {
  // Without either only containers of executors are meant.
  bool showNested = false;
  bool showStandalone = false;
};

struct LaunchContainer {
  isolators::ContainerRequest request;
};

struct WaitContainer {
  ContainerId id;
  // Asked with the older name, WAIT_NESTED_CONTAINER, which the answer repeats.
  bool nested = false;
};

struct KillContainer {
  ContainerId id;
  int signal = 9;
};

struct RemoveContainer {
  ContainerId id;
};

struct ListFiles {
  std::string path;
};

struct ReadFile {
  std::string path;
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length;
};

struct LaunchSession {
  SessionRequest request;
};

struct AttachOutput {
  ContainerId id;
};

// ATTACH_CONTAINER_INPUT comes as a stream of records, never as one body.
struct AttachInput {};

// A call of Mesos that this agent does not serve, or the type UNKNOWN.
struct NotServed {
  std::string type;
};

using Call = std::variant<GetHealth, GetVersion, GetFlags, GetState, GetTasks, GetExecutors, GetFrameworks, GetAgent,
                          GetOperations, GetResourceProviders, GetMetrics, GetLoggingLevel, SetLoggingLevel,
                          GetContainers, LaunchContainer, WaitContainer, KillContainer, RemoveContainer, ListFiles,
                          ReadFile, LaunchSession, AttachOutput, AttachInput, PruneImages, NotServed>;

// InvalidArgument and Unsupported name the field and the reason.
Result<Call> parseCall(std::string_view body, Media media);

// The body of POST /gantry/v1/containers: a LaunchContainer and what Mesos cannot express beside it
// (agent/wire/gantry_v1.proto, Launch).
Result<isolators::ContainerRequest> parseLaunch(std::string_view body, Media media);
// The body of POST /gantry/v1/containers/<id>/sessions (Session).
Result<SessionRequest> parseSession(std::string_view body, Media media);

}  // namespace gantry::agent::wire
