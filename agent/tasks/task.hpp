// Tasks, their frameworks and their states as plain values: what a master asks for, and what is told to it. Wire types
// stop above this; what must come back to a master byte for byte is carried along as an opaque Message.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "isolators/isolator.hpp"
#include "isolators/request.hpp"

namespace gantry::agent::tasks {

using Clock = std::chrono::system_clock;
using Duration = std::chrono::nanoseconds;

// A protobuf message of Mesos, serialised, with the fields that this agent does not know. Only agent/wire looks inside.
using Message = std::string;

// Numbers and names (toString: "TASK_RUNNING") are Mesos'; reference: master-agent, 5.8.
enum class TaskState {
  Starting = 0,
  Running = 1,
  Finished = 2,
  Failed = 3,
  Killed = 4,
  Lost = 5,
  Staging = 6,
  Error = 7,
  Killing = 8,
  Dropped = 9,
  Unreachable = 10,
  Gone = 11,
  GoneByOperator = 12,
  Unknown = 13,
};
std::string_view toString(TaskState state);
std::optional<TaskState> parseTaskState(std::string_view name);
// No update may follow one of these.
bool isTerminal(TaskState state);

// Who says so; Mesos' numbers.
enum class Source { Master = 0, Agent = 1, Executor = 2 };

// Mesos' numbers; toString: "REASON_CONTAINER_LIMITATION_MEMORY".
enum class Reason {
  CommandExecutorFailed = 0,
  ExecutorTerminated = 1,
  ExecutorUnregistered = 2,
  FrameworkRemoved = 3,
  GcError = 4,
  InvalidFrameworkId = 5,
  InvalidOffers = 6,
  MasterDisconnected = 7,
  ContainerLimitationMemory = 8,
  Reconciliation = 9,
  AgentDisconnected = 10,
  AgentRemoved = 11,
  AgentRestarted = 12,
  AgentUnknown = 13,
  TaskInvalid = 14,
  TaskUnauthorized = 15,
  TaskUnknown = 16,
  ContainerPreempted = 17,
  ResourcesUnknown = 18,
  ContainerLimitation = 19,
  ContainerLimitationDisk = 20,
  ContainerLaunchFailed = 21,
  ContainerUpdateFailed = 22,
  ExecutorRegistrationTimeout = 23,
  ExecutorReregistrationTimeout = 24,
  TaskGroupInvalid = 25,
  TaskGroupUnauthorized = 26,
  IoSwitchboardExited = 27,
  TaskCheckStatusUpdated = 28,
  TaskHealthCheckStatusUpdated = 29,
  TaskKilledDuringLaunch = 30,
  AgentRemovedByOperator = 31,
  AgentReregistered = 32,
  MaxCompletionTimeReached = 33,
  AgentDraining = 34,
};
std::string_view toString(Reason reason);
std::optional<Reason> parseReason(std::string_view name);

// A file to be in the sandbox before the task starts (Mesos' CommandInfo.URI; reference: containerizer, 7).
struct Uri {
  std::string value;
  bool executable = false;  // made executable, and never extracted
  bool extract = true;      // unpacked, when its name is that of an archive
  bool cache = false;
  // Relative to the sandbox; "": the last part of `value`'s path.
  std::string outputFile;

  bool operator==(const Uri&) const = default;
};

// Who a task belongs to, as the master last described it.
struct Framework {
  std::string id;
  std::string name;
  std::string user;
  std::string principal;
  // The roles it is in; one unless it has the capability MULTI_ROLE.
  std::vector<std::string> roles;
  double failoverTimeoutSeconds = 0;
  // Its tasks outlive this agent.
  bool checkpoint = false;
  // States newer than TASK_LOST may be told to it.
  bool partitionAware = false;
  // TASK_KILLING may be told to it.
  bool taskKillingState = false;
  // The scheduler's UPID; "" for one that speaks HTTP.
  std::string pid;
  Message info;  // FrameworkInfo
};

// A command task: one program in one container. Checked by agent/wire; what cannot be met here was refused there.
struct TaskRequest {
  explicit TaskRequest(isolators::ContainerRequest what) : container(std::move(what)) {}

  std::string id;
  std::string framework;
  // Of a command task: its own id.
  std::string executor;
  std::string name;
  // The role its resources are allocated to.
  std::string role;
  // Its id is the task's container id, made up by whoever launches it. The environment is what the task asked for: the
  // variables that the agent promises are added at the launch. `command.user` is set, except for a container of type
  // DOCKER that goes by its image's user.
  isolators::ContainerRequest container;
  // Who says what a name in `command.user` means: the host, or (of type DOCKER) the image.
  bool userIsOfHost = true;
  std::vector<Uri> uris;
  // How long it may go on after it was asked to end; unset: the agent's default.
  std::optional<Duration> killGrace;
  // From TASK_RUNNING on.
  std::optional<Duration> maxCompletionTime;
  // What it occupies of the agent, for the sums in /state and the metrics: one entry of Mesos' Resource each.
  std::vector<Message> resources;
  Message info;  // TaskInfo
};

// How much of a resource was not enough.
struct LimitedResource {
  std::string name;   // "mem", "disk"
  double amount = 0;  // in Mesos' unit, for these MB

  bool operator==(const LimitedResource&) const = default;
};

// One thing that happened to a task.
struct TaskStatus {
  TaskState state = TaskState::Staging;
  Source source = Source::Agent;
  std::optional<Reason> reason;
  std::string message;
  Clock::time_point time;
  // 16 bytes; acknowledgements carry the same ones.
  std::string uuid;
  std::optional<bool> healthy;
  // Of its container; "", 0 and nothing while there is none.
  std::string containerId;
  pid_t pid = 0;
  std::vector<isolators::NetworkStatus> networks;
  // With Reason::ContainerLimitation and the like.
  std::vector<LimitedResource> limitation;
};

// One status on its way to the master.
struct StatusUpdate {
  std::string framework;
  std::string task;
  std::string executor;
  TaskStatus status;
  // The newest state that is known here, which may be ahead of `status`.
  TaskState latestState = TaskState::Staging;
};

// A task as it stands, for re-registration, /state and GET_TASKS.
struct Task {
  std::string id;
  std::string framework;
  std::string executor;
  std::string name;
  std::string role;
  TaskState state = TaskState::Staging;
  // Of consecutive ones with the same state only the last.
  std::vector<TaskStatus> statuses;
  // The status that was last sent to the master, if one was.
  std::optional<TaskState> sentState;
  std::string sentUuid;
  // Unset until a container was made up for it.
  std::optional<ContainerId> container;
  std::string sandbox;
  std::vector<Message> resources;
  Message info;  // TaskInfo
};

}  // namespace gantry::agent::tasks
