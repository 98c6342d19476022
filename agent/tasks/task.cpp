#include "agent/tasks/task.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace gantry::agent::tasks {
namespace {

using enum TaskState;

constexpr std::array kStates = std::to_array<std::pair<TaskState, std::string_view>>({
    {Starting, "TASK_STARTING"},
    {Running, "TASK_RUNNING"},
    {Finished, "TASK_FINISHED"},
    {Failed, "TASK_FAILED"},
    {Killed, "TASK_KILLED"},
    {Lost, "TASK_LOST"},
    {Staging, "TASK_STAGING"},
    {Error, "TASK_ERROR"},
    {Killing, "TASK_KILLING"},
    {Dropped, "TASK_DROPPED"},
    {Unreachable, "TASK_UNREACHABLE"},
    {Gone, "TASK_GONE"},
    {GoneByOperator, "TASK_GONE_BY_OPERATOR"},
    {Unknown, "TASK_UNKNOWN"},
});

constexpr std::array kReasons = std::to_array<std::pair<Reason, std::string_view>>({
    {Reason::CommandExecutorFailed, "REASON_COMMAND_EXECUTOR_FAILED"},
    {Reason::ExecutorTerminated, "REASON_EXECUTOR_TERMINATED"},
    {Reason::ExecutorUnregistered, "REASON_EXECUTOR_UNREGISTERED"},
    {Reason::FrameworkRemoved, "REASON_FRAMEWORK_REMOVED"},
    {Reason::GcError, "REASON_GC_ERROR"},
    {Reason::InvalidFrameworkId, "REASON_INVALID_FRAMEWORKID"},
    {Reason::InvalidOffers, "REASON_INVALID_OFFERS"},
    {Reason::MasterDisconnected, "REASON_MASTER_DISCONNECTED"},
    {Reason::ContainerLimitationMemory, "REASON_CONTAINER_LIMITATION_MEMORY"},
    {Reason::Reconciliation, "REASON_RECONCILIATION"},
    {Reason::AgentDisconnected, "REASON_SLAVE_DISCONNECTED"},
    {Reason::AgentRemoved, "REASON_SLAVE_REMOVED"},
    {Reason::AgentRestarted, "REASON_SLAVE_RESTARTED"},
    {Reason::AgentUnknown, "REASON_SLAVE_UNKNOWN"},
    {Reason::TaskInvalid, "REASON_TASK_INVALID"},
    {Reason::TaskUnauthorized, "REASON_TASK_UNAUTHORIZED"},
    {Reason::TaskUnknown, "REASON_TASK_UNKNOWN"},
    {Reason::ContainerPreempted, "REASON_CONTAINER_PREEMPTED"},
    {Reason::ResourcesUnknown, "REASON_RESOURCES_UNKNOWN"},
    {Reason::ContainerLimitation, "REASON_CONTAINER_LIMITATION"},
    {Reason::ContainerLimitationDisk, "REASON_CONTAINER_LIMITATION_DISK"},
    {Reason::ContainerLaunchFailed, "REASON_CONTAINER_LAUNCH_FAILED"},
    {Reason::ContainerUpdateFailed, "REASON_CONTAINER_UPDATE_FAILED"},
    {Reason::ExecutorRegistrationTimeout, "REASON_EXECUTOR_REGISTRATION_TIMEOUT"},
    {Reason::ExecutorReregistrationTimeout, "REASON_EXECUTOR_REREGISTRATION_TIMEOUT"},
    {Reason::TaskGroupInvalid, "REASON_TASK_GROUP_INVALID"},
    {Reason::TaskGroupUnauthorized, "REASON_TASK_GROUP_UNAUTHORIZED"},
    {Reason::IoSwitchboardExited, "REASON_IO_SWITCHBOARD_EXITED"},
    {Reason::TaskCheckStatusUpdated, "REASON_TASK_CHECK_STATUS_UPDATED"},
    {Reason::TaskHealthCheckStatusUpdated, "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED"},
    {Reason::TaskKilledDuringLaunch, "REASON_TASK_KILLED_DURING_LAUNCH"},
    {Reason::AgentRemovedByOperator, "REASON_SLAVE_REMOVED_BY_OPERATOR"},
    {Reason::AgentReregistered, "REASON_SLAVE_REREGISTERED"},
    {Reason::MaxCompletionTimeReached, "REASON_MAX_COMPLETION_TIME_REACHED"},
    {Reason::AgentDraining, "REASON_SLAVE_DRAINING"},
});

template <typename Table, typename Key>
std::string_view nameIn(const Table& table, Key key) {
  const auto found = std::ranges::find(table, key, [](const auto& row) { return row.first; });
  return found == table.end() ? std::string_view() : found->second;
}

template <typename Key, typename Table>
std::optional<Key> keyIn(const Table& table, std::string_view name) {
  const auto found = std::ranges::find(table, name, [](const auto& row) { return row.second; });
  if (found == table.end()) return std::nullopt;
  return found->first;
}

}  // namespace

std::string_view toString(TaskState state) {
  return nameIn(kStates, state);
}
std::optional<TaskState> parseTaskState(std::string_view name) {
  return keyIn<TaskState>(kStates, name);
}

bool isTerminal(TaskState state) {
  switch (state) {
    case Finished:
    case Failed:
    case Killed:
    case Error:
    case Lost:
    case Dropped:
    case Gone:
    case GoneByOperator:
      return true;
    case Staging:
    case Starting:
    case Running:
    case Killing:
    case Unreachable:
    case Unknown:
      return false;
  }
  return false;
}

std::string_view toString(Reason reason) {
  return nameIn(kReasons, reason);
}
std::optional<Reason> parseReason(std::string_view name) {
  return keyIn<Reason>(kReasons, name);
}

}  // namespace gantry::agent::tasks
