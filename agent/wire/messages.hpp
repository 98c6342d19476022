// From wire messages to values, for the .cpp files of this directory.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "agent/containers/manager.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "isolators/request.hpp"

namespace mesos::v1 {
class CommandInfo;
class ContainerID;
class TTYInfo;
class TaskInfo;
}  // namespace mesos::v1
namespace mesos::v1::agent {
class Call_LaunchContainer;
class Call_LaunchNestedContainerSession;
}  // namespace mesos::v1::agent

namespace gantry::agent::wire {

// `field` is where the message stands in the call, for errors: "kill_container.container_id".
Result<ContainerId> containerIdFrom(const mesos::v1::ContainerID& message, std::string_view field);
void writeContainerId(const ContainerId& id, mesos::v1::ContainerID& message);

// Without the URIs.
Result<isolators::Command> commandFrom(const mesos::v1::CommandInfo& message, const std::string& field);

struct Window {
  std::uint16_t rows = 0;
  std::uint16_t columns = 0;
};
// All zero without a window size.
Result<Window> windowFrom(const mesos::v1::TTYInfo& message, const std::string& field);

Result<isolators::Resources> resourcesFrom(const mesos::v1::agent::Call_LaunchContainer& launch,
                                           const std::string& field);
// Of a command task. Its memory is never below what Mesos gives the smallest one; disk is not enforced.
Result<isolators::Resources> resourcesFrom(const mesos::v1::TaskInfo& task, const std::string& field);

Result<isolators::ContainerRequest> requestFrom(const mesos::v1::agent::Call_LaunchContainer& launch,
                                                const std::string& field);
Result<SessionRequest> requestFrom(const mesos::v1::agent::Call_LaunchNestedContainerSession& launch,
                                   const std::string& field);

// As Mesos' time stamps are.
double secondsSinceEpoch(std::chrono::system_clock::time_point time);

// InvalidArgument when `text` holds a NUL byte, which no argument, variable or path can.
Result<void> checkText(std::string_view text, std::string_view field);

// A duration of a message, in nanoseconds; whatever is longer than a century is cut to one, so that adding it to a time
// makes sense. InvalidArgument when it is negative.
Result<std::chrono::nanoseconds> durationOf(std::int64_t nanoseconds, std::string_view field);

}  // namespace gantry::agent::wire
