#include "agent/wire/master_messages.hpp"

#include <agent/wire/mesos_internal.pb.h>

#include <algorithm>

#include "agent/wire/encoding.hpp"
#include "agent/wire/identifiers.hpp"
#include "agent/wire/messages.hpp"
#include "agent/wire/task_info.hpp"

namespace gantry::agent::wire {
namespace {

namespace internal = mesos::internal;

template <typename Message>
Result<Message> read(std::string_view body) {
  Message message;
  TRY_VOID(decode(body, Media::Protobuf, message));
  return message;
}

Result<std::optional<tasks::Duration>> pingTimeoutOf(const internal::MasterSlaveConnection& connection) {
  if (!connection.has_total_ping_timeout_seconds()) return std::optional<tasks::Duration>();
  const double seconds = connection.total_ping_timeout_seconds();
  constexpr double kLongest = 365.0 * 24 * 3600;
  if (!(seconds > 0) || seconds > kLongest) {
    return Error::invalid("connection.total_ping_timeout_seconds", "is out of range");
  }
  // mesos-agent knows whole seconds only.
  return std::optional<tasks::Duration>(std::chrono::seconds(static_cast<std::int64_t>(std::max(1.0, seconds))));
}

Result<Reconciliation> reconciliationFrom(const internal::ReconcileTasksMessage& message) {
  Reconciliation result;
  if (message.has_framework()) {
    TRY(result.framework, frameworkFrom(message.framework(), ""));
  }
  result.framework.id = message.framework_id().value();
  TRY_VOID(checkId(result.framework.id, "reconciliations.framework_id.value"));
  for (const auto& status : message.statuses()) result.tasks.push_back(status.task_id().value());
  return result;
}

Result<ExecutorOfFramework> executorOf(const mesos::v1::FrameworkID& framework, const mesos::v1::ExecutorID& executor) {
  return ExecutorOfFramework{framework.value(), executor.value()};
}

std::vector<ResourceVersion> versionsFrom(const internal::RunTaskMessage& message) {
  std::vector<ResourceVersion> versions;
  for (const auto& version : message.resource_version_uuids()) {
    versions.push_back({version.resource_provider_id().value(), version.uuid().value()});
  }
  return versions;
}

}  // namespace

Result<Registered> parseRegistered(std::string_view body) {
  TRY(const auto message, read<internal::SlaveRegisteredMessage>(body));
  TRY_VOID(checkId(message.slave_id().value(), "slave_id.value"));
  TRY(const auto timeout, pingTimeoutOf(message.connection()));
  return Registered{message.slave_id().value(), timeout};
}

Result<Reregistered> parseReregistered(std::string_view body) {
  TRY(const auto message, read<internal::SlaveReregisteredMessage>(body));
  Reregistered result;
  result.agentId = message.slave_id().value();
  TRY(result.pingTimeout, pingTimeoutOf(message.connection()));
  for (const auto& entry : message.reconciliations()) {
    TRY(auto reconciliation, reconciliationFrom(entry));
    result.reconciliations.push_back(std::move(reconciliation));
  }
  return result;
}

Result<Ping> parsePing(std::string_view body) {
  TRY(const auto message, read<internal::PingSlaveMessage>(body));
  return Ping{message.connected()};
}

Result<Shutdown> parseShutdown(std::string_view body) {
  TRY(const auto message, read<internal::ShutdownMessage>(body));
  return Shutdown{message.message()};
}

Result<RunTask> parseRunTask(std::string_view body, const TaskDefaults& defaults) {
  TRY(const auto message, read<internal::RunTaskMessage>(body));
  TRY(const auto framework, frameworkFrom(message.framework(), message.pid()));
  RunTask run(framework, taskRequestFrom(message.task(), framework, defaults));
  run.taskId = message.task().task_id().value();
  run.agentId = message.task().agent_id().value();
  run.executorId = message.task().executor().executor_id().value();
  run.launchExecutor = !message.has_launch_executor() || message.launch_executor();
  run.versions = versionsFrom(message);
  return run;
}

Result<RunTaskGroup> parseRunTaskGroup(std::string_view body) {
  TRY(const auto message, read<internal::RunTaskGroupMessage>(body));
  RunTaskGroup group;
  TRY(group.framework, frameworkFrom(message.framework(), ""));
  for (const auto& task : message.task_group().tasks()) {
    group.taskIds.push_back(task.task_id().value());
    group.agentId = task.agent_id().value();
  }
  if (group.taskIds.empty()) return Error::invalid("task_group.tasks", "must not be empty");
  group.executorId = message.executor().executor_id().value();
  group.launchExecutor = !message.has_launch_executor() || message.launch_executor();
  return group;
}

Result<KillTask> parseKillTask(std::string_view body) {
  TRY(const auto message, read<internal::KillTaskMessage>(body));
  KillTask kill{message.framework_id().value(), message.task_id().value(), std::nullopt};
  if (!message.kill_policy().has_grace_period()) return kill;
  TRY(kill.grace, durationOf(message.kill_policy().grace_period().nanoseconds(), "kill_policy.grace_period"));
  return kill;
}

Result<Acknowledgement> parseAcknowledgement(std::string_view body) {
  TRY(const auto message, read<internal::StatusUpdateAcknowledgementMessage>(body));
  if (message.uuid().size() != 16) return Error::invalid("uuid", "is not 16 bytes long");
  return Acknowledgement{message.slave_id().value(), message.framework_id().value(), message.task_id().value(),
                         message.uuid()};
}

Result<tasks::DrainConfig> parseDrain(std::string_view body) {
  TRY(const auto message, read<internal::DrainSlaveMessage>(body));
  tasks::DrainConfig drain;
  drain.markGone = message.config().mark_gone();
  drain.config = encode(message.config(), Media::Protobuf);
  if (!message.config().has_max_grace_period()) return drain;
  TRY(drain.maxGracePeriod, durationOf(message.config().max_grace_period().nanoseconds(), "config.max_grace_period"));
  return drain;
}

Result<UpdateFramework> parseUpdateFramework(std::string_view body) {
  TRY(auto message, read<internal::UpdateFrameworkMessage>(body));
  UpdateFramework update;
  update.id = message.framework_id().value();
  TRY_VOID(checkId(update.id, "framework_id.value"));
  update.pid = schedulerPid(message.pid());
  if (!message.has_framework_info()) return update;
  if (!message.framework_info().has_id()) *message.mutable_framework_info()->mutable_id() = message.framework_id();
  TRY(update.framework, frameworkFrom(message.framework_info(), message.pid()));
  if (update.framework->id != update.id) {
    return Error::invalid("framework_info.id.value", "is not that of 'framework_id'");
  }
  return update;
}

Result<std::string> parseShutdownFramework(std::string_view body) {
  TRY(const auto message, read<internal::ShutdownFrameworkMessage>(body));
  return message.framework_id().value();
}

Result<ExecutorOfFramework> parseShutdownExecutor(std::string_view body) {
  TRY(const auto message, read<internal::ShutdownExecutorMessage>(body));
  return executorOf(message.framework_id(), message.executor_id());
}

Result<ExecutorOfFramework> parseFrameworkToExecutor(std::string_view body) {
  TRY(const auto message, read<internal::FrameworkToExecutorMessage>(body));
  return executorOf(message.framework_id(), message.executor_id());
}

Result<std::vector<tasks::Message>> parseCheckpointResources(std::string_view body) {
  TRY(const auto message, read<internal::CheckpointResourcesMessage>(body));
  std::vector<tasks::Message> resources;
  for (const auto& resource : message.resources()) resources.push_back(encode(resource, Media::Protobuf));
  return resources;
}

Result<ReconcileOperations> parseReconcileOperations(std::string_view body) {
  TRY(const auto message, read<internal::ReconcileOperationsMessage>(body));
  ReconcileOperations questions;
  questions.framework = message.framework_id().value();
  for (const auto& operation : message.operations()) {
    questions.operations.push_back({operation.operation_uuid().value(), operation.operation_id().value(),
                                    operation.resource_provider_id().value()});
  }
  return questions;
}

Result<ApplyOperation> parseApplyOperation(std::string_view body) {
  TRY(const auto message, read<internal::ApplyOperationMessage>(body));
  return ApplyOperation{message.framework_id().value(), message.operation_uuid().value(),
                        message.operation_info().id().value()};
}

Result<std::vector<std::string>> parseAuthenticationMechanisms(std::string_view body) {
  TRY(const auto message, read<internal::AuthenticationMechanismsMessage>(body));
  return std::vector<std::string>(message.mechanisms().begin(), message.mechanisms().end());
}

Result<std::string> parseAuthenticationStep(std::string_view body) {
  TRY(const auto message, read<internal::AuthenticationStepMessage>(body));
  return message.data();
}

Result<std::string> parseAuthenticationError(std::string_view body) {
  TRY(const auto message, read<internal::AuthenticationErrorMessage>(body));
  return message.error();
}

}  // namespace gantry::agent::wire
