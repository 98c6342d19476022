// What a Mesos master tells its agent, as values: one function for each message, named after it. A body that is not the
// message, or lacks what it must have, is InvalidArgument; a task that is understood and cannot be run here is no error
// of the message but of the RunTask's `request`.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/tasks/manager.hpp"
#include "agent/tasks/task.hpp"
#include "base/result.hpp"

namespace gantry::agent::wire {

// What the agent's configuration says about tasks.
struct TaskDefaults {
  // The network that containers of type DOCKER with the network BRIDGE join.
  std::string bridgeNetwork = "bridge";
};

// --- registration

struct Registered {
  std::string agentId;
  // How long without a ping until the agent must think that the master lost it.
  std::optional<tasks::Duration> pingTimeout;
};
// SlaveRegisteredMessage
Result<Registered> parseRegistered(std::string_view body);

// Tasks of one framework that the master knows of and was not told of.
struct Reconciliation {
  // Only its id when the master does not say more.
  tasks::Framework framework;
  std::vector<std::string> tasks;
};

struct Reregistered {
  std::string agentId;
  std::optional<tasks::Duration> pingTimeout;
  std::vector<Reconciliation> reconciliations;
};
// SlaveReregisteredMessage
Result<Reregistered> parseReregistered(std::string_view body);

struct Ping {
  // False: the master saw the connection to this agent break.
  bool connected = true;
};
// PingSlaveMessage
Result<Ping> parsePing(std::string_view body);

struct Shutdown {
  std::string message;
};
// ShutdownMessage
Result<Shutdown> parseShutdown(std::string_view body);

// --- tasks

// The state of a resource provider, or (provider "") of the agent's own resources, that the sender had in mind.
struct ResourceVersion {
  std::string provider;
  std::string uuid;
};

struct RunTask {
  RunTask(tasks::Framework whose, Result<tasks::TaskRequest> what)
      : framework(std::move(whose)), request(std::move(what)) {}

  tasks::Framework framework;
  std::string taskId;
  // Whom the master means: another one's tasks are to be ignored.
  std::string agentId;
  // The executor that the master counts for the task; "" for a command task.
  std::string executorId;
  // The master counts a new executor: when nothing is launched for a task with an `executorId`, it must be told that
  // the executor exited.
  bool launchExecutor = true;
  std::vector<ResourceVersion> versions;
  // InvalidArgument (the task is wrong) or Unsupported (not here), "task.container.docker.parameters[0]: …".
  Result<tasks::TaskRequest> request;
};
// RunTaskMessage. Fails only when there is no saying which task of whom is meant.
Result<RunTask> parseRunTask(std::string_view body, const TaskDefaults& defaults);

struct RunTaskGroup {
  tasks::Framework framework;
  std::vector<std::string> taskIds;
  std::string agentId;
  std::string executorId;
  bool launchExecutor = true;
};
// RunTaskGroupMessage, as far as it takes to refuse it.
Result<RunTaskGroup> parseRunTaskGroup(std::string_view body);

struct KillTask {
  std::string framework;
  std::string task;
  // In place of the task's own.
  std::optional<tasks::Duration> grace;
};
// KillTaskMessage
Result<KillTask> parseKillTask(std::string_view body);

struct Acknowledgement {
  std::string agentId;
  std::string framework;
  std::string task;
  std::string uuid;  // 16 bytes
};
// StatusUpdateAcknowledgementMessage
Result<Acknowledgement> parseAcknowledgement(std::string_view body);

// DrainSlaveMessage
Result<tasks::DrainConfig> parseDrain(std::string_view body);

// --- frameworks

struct UpdateFramework {
  std::string id;
  // Nothing when the master says no more than that the scheduler moved to `pid`.
  std::optional<tasks::Framework> framework;
  // The scheduler's UPID; "" for one that speaks HTTP.
  std::string pid;
};
// UpdateFrameworkMessage
Result<UpdateFramework> parseUpdateFramework(std::string_view body);

// ShutdownFrameworkMessage: the framework's id.
Result<std::string> parseShutdownFramework(std::string_view body);

struct ExecutorOfFramework {
  std::string framework;
  std::string executor;
};
// ShutdownExecutorMessage
Result<ExecutorOfFramework> parseShutdownExecutor(std::string_view body);
// FrameworkToExecutorMessage, without what it carries.
Result<ExecutorOfFramework> parseFrameworkToExecutor(std::string_view body);

// --- resources and operations

// CheckpointResourcesMessage: all dynamic reservations and persistent volumes, one Resource each.
Result<std::vector<tasks::Message>> parseCheckpointResources(std::string_view body);

struct OperationQuestion {
  std::string uuid;         // "": a framework asks by `operationId`
  std::string operationId;  // the framework's own name for it
  std::string provider;
};
struct ReconcileOperations {
  // "": the master asks for itself.
  std::string framework;
  std::vector<OperationQuestion> operations;
};
// ReconcileOperationsMessage
Result<ReconcileOperations> parseReconcileOperations(std::string_view body);

struct ApplyOperation {
  std::string framework;  // "" for one of the operator
  std::string uuid;
  std::string operationId;
};
// ApplyOperationMessage, as far as it takes to refuse it.
Result<ApplyOperation> parseApplyOperation(std::string_view body);

// --- authentication (CRAM-MD5; reference: libprocess, 6)

// AuthenticationMechanismsMessage
Result<std::vector<std::string>> parseAuthenticationMechanisms(std::string_view body);
// AuthenticationStepMessage: the challenge.
Result<std::string> parseAuthenticationStep(std::string_view body);
// AuthenticationErrorMessage: the sentence, which may be empty.
Result<std::string> parseAuthenticationError(std::string_view body);

}  // namespace gantry::agent::wire
