// The records of attached input and output: mesos.v1.agent.ProcessIO.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "agent/containers/manager.hpp"
#include "agent/wire/media.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"

namespace gantry::agent::wire {

std::string encodeOutput(const Attachment::Chunk& chunk, Media media);
std::string encodeHeartbeat(std::chrono::nanoseconds interval, Media media);

// One record of an ATTACH_CONTAINER_INPUT stream. The first must be the container's id, the others must not.
struct StdinData {
  std::string data;
};
struct WindowSize {
  std::uint16_t rows = 0;
  std::uint16_t columns = 0;
};
struct Heartbeat {};
using InputRecord = std::variant<ContainerId, StdinData, WindowSize, Heartbeat>;

// InvalidArgument names the field and the reason; Unsupported when it is another call.
Result<InputRecord> parseInputRecord(std::string_view record, Media media);

}  // namespace gantry::agent::wire
