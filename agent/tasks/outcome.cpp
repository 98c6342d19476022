#include "agent/tasks/outcome.hpp"

#include <sys/wait.h>
#include <cstring>

#include <fmt/format.h>

namespace gantry::agent::tasks {
namespace {

constexpr double kMebibyte = 1024.0 * 1024.0;

// What the exceeded limit was.
std::vector<LimitedResource> limitationOf(Reason reason, const isolators::Resources& resources) {
  if (reason == Reason::ContainerLimitationMemory && resources.memory) {
    const Bytes limit = resources.memoryLimit.value_or(*resources.memory);
    return {{"mem", static_cast<double>(limit.count) / kMebibyte}};
  }
  if (reason == Reason::ContainerLimitationDisk && resources.disk) {
    return {{"disk", static_cast<double>(resources.disk->count) / kMebibyte}};
  }
  return {};
}

TaskStatus found(Reason reason, std::string message) {
  TaskStatus status{.state = TaskState::Failed, .source = Source::Agent};
  status.reason = reason;
  status.message = std::move(message);
  return status;
}

}  // namespace

std::string describeEnd(int waitStatus) {
  if (WIFEXITED(waitStatus)) return fmt::format("Command exited with status {}", WEXITSTATUS(waitStatus));
  const char* const core = WCOREDUMP(waitStatus) ? " (core dumped)" : "";
  const char* const name = ::sigdescr_np(WTERMSIG(waitStatus));
  if (name == nullptr) return fmt::format("Command terminated with signal {}{}", WTERMSIG(waitStatus), core);
  return fmt::format("Command terminated with signal {}{}", name, core);
}

TaskStatus endStatus(const Termination& termination, Ending ending, const isolators::Resources& resources) {
  if (termination.reason || !termination.waitStatus) {
    const auto reason = termination.reason ? parseReason(*termination.reason) : std::nullopt;
    TaskStatus status = found(reason.value_or(Reason::ExecutorTerminated), termination.message);
    status.limitation = limitationOf(*status.reason, resources);
    return status;
  }
  TaskStatus status{.source = Source::Executor};
  status.message = describeEnd(*termination.waitStatus);
  switch (ending) {
    case Ending::None:
      status.state = *termination.waitStatus == 0 ? TaskState::Finished : TaskState::Failed;
      break;
    case Ending::Killed:
    case Ending::Discarded:
      status.state = TaskState::Killed;
      break;
    case Ending::Expired:
      status.state = TaskState::Failed;
      status.reason = Reason::MaxCompletionTimeReached;
      break;
  }
  return status;
}

TaskStatus launchFailure(const gantry::Error& error, Ending ending) {
  if (ending == Ending::None) {
    return found(Reason::ContainerLaunchFailed, "Failed to launch container: " + error.message());
  }
  TaskStatus status = found(Reason::TaskKilledDuringLaunch, "Killed before delivery to the executor");
  status.state = TaskState::Killed;
  return status;
}

TaskState stateFor(const Framework& framework, TaskState state) {
  switch (state) {
    case TaskState::Dropped:
    case TaskState::Unreachable:
    case TaskState::Gone:
    case TaskState::GoneByOperator:
    case TaskState::Unknown:
      return framework.partitionAware ? state : TaskState::Lost;
    default:
      return state;
  }
}

}  // namespace gantry::agent::tasks
