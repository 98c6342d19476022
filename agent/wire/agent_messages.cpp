#include "agent/wire/agent_messages.hpp"

#include <agent/wire/mesos_internal.pb.h>

#include "agent/wire/encoding.hpp"
#include "agent/wire/resource_format.hpp"
#include "agent/wire/task_info.hpp"

namespace gantry::agent::wire {
namespace {

namespace internal = mesos::internal;
using mesos::v1::AgentInfo;

std::string bytesOf(const google::protobuf::Message& message) {
  return encode(message, Media::Protobuf);
}

// What both registrations have.
template <typename Message>
void write(const Registration& registration, Message& message) {
  const Result<void> read = decode(registration.agent, Media::Protobuf, *message.mutable_slave());
  ENSURE(read, "the agent's description is not an AgentInfo");
  message.set_version(registration.version);
  for (const auto& resource : registration.checkpointedResources) {
    const Result<void> known = decode(resource, Media::Protobuf, *message.add_checkpointed_resources());
    ENSURE(known, "a checkpointed resource is no Resource");
  }
  toSingleRole(*message.mutable_checkpointed_resources());
  for (const AgentCapability capability : registration.capabilities) {
    message.add_agent_capabilities()->set_type(static_cast<AgentInfo::Capability::Type>(capability));
  }
  if (registration.resourceVersion.empty()) return;
  message.mutable_resource_version_uuid()->set_value(registration.resourceVersion);
}

void writeFramework(const tasks::Framework& framework, mesos::v1::FrameworkInfo& message) {
  if (decode(framework.info, Media::Protobuf, message)) return;
  // All that is known of one that was only ever named.
  message.Clear();
  message.set_user(framework.user);
  message.set_name(framework.name);
  message.mutable_id()->set_value(framework.id);
}

void writeOldTask(const tasks::Task& task, const AgentIdentity& agent, mesos::v1::Task& message) {
  writeTask(task, agent, message);
  toSingleRole(*message.mutable_resources());
}

}  // namespace

std::string_view toString(AgentCapability capability) {
  return AgentInfo::Capability::Type_Name(static_cast<AgentInfo::Capability::Type>(capability));
}

std::string encodeRegister(const Registration& registration) {
  internal::RegisterSlaveMessage message;
  write(registration, message);
  message.mutable_slave()->clear_id();
  return bytesOf(message);
}

std::string encodeReregister(const Registration& registration, const tasks::Snapshot& tasks,
                             const AgentIdentity& agent) {
  internal::ReregisterSlaveMessage message;
  write(registration, message);
  message.mutable_slave()->mutable_id()->set_value(agent.id);
  for (const auto& framework : tasks.frameworks) {
    writeFramework(framework.framework, *message.add_frameworks());
    for (const auto& task : framework.active) writeOldTask(task, agent, *message.add_tasks());
  }
  for (const auto& framework : tasks.completedFrameworks) {
    auto& entry = *message.add_completed_frameworks();
    writeFramework(framework.framework, *entry.mutable_framework_info());
    if (!framework.framework.pid.empty()) entry.set_pid(framework.framework.pid);
    for (const auto& task : framework.completed) writeOldTask(task, agent, *entry.add_tasks());
  }
  return bytesOf(message);
}

std::string encodeUnregister(const std::string& agentId) {
  internal::UnregisterSlaveMessage message;
  message.mutable_slave_id()->set_value(agentId);
  return bytesOf(message);
}

std::string encodeUpdateSlave(const std::string& agentId, const std::string& resourceVersion) {
  internal::UpdateSlaveMessage message;
  message.mutable_slave_id()->set_value(agentId);
  message.set_update_oversubscribed_resources(false);
  message.mutable_operations();
  if (!resourceVersion.empty()) message.mutable_resource_version_uuid()->set_value(resourceVersion);
  message.mutable_resource_providers();
  return bytesOf(message);
}

std::string encodePong() {
  return bytesOf(internal::PongSlaveMessage());
}

std::string encodeStatusUpdate(const tasks::StatusUpdate& update, const AgentIdentity& agent) {
  ENSURE(!agent.pid.empty(), "a master aborts on a status update from nobody");
  internal::StatusUpdateMessage message;
  internal::StatusUpdate& content = *message.mutable_update();
  content.mutable_framework_id()->set_value(update.framework);
  if (!update.executor.empty()) content.mutable_executor_id()->set_value(update.executor);
  content.mutable_slave_id()->set_value(agent.id);
  writeStatus(update.status, update.task, update.executor, agent, *content.mutable_status());
  content.set_timestamp(content.status().timestamp());
  content.set_uuid(update.status.uuid);
  content.set_latest_state(static_cast<mesos::v1::TaskState>(update.latestState));
  message.set_pid(agent.pid);
  return bytesOf(message);
}

std::string encodeExitedExecutor(const std::string& agentId, const std::string& framework, const std::string& executor,
                                 int status) {
  internal::ExitedExecutorMessage message;
  message.mutable_slave_id()->set_value(agentId);
  message.mutable_framework_id()->set_value(framework);
  message.mutable_executor_id()->set_value(executor);
  message.set_status(status);
  return bytesOf(message);
}

std::string encodeOperationStatus(const std::string& agentId, const std::string& framework, const std::string& uuid,
                                  const std::string& operationId, OperationState state, const std::string& reason) {
  internal::UpdateOperationStatusMessage message;
  if (!framework.empty()) message.mutable_framework_id()->set_value(framework);
  message.mutable_slave_id()->set_value(agentId);
  mesos::v1::OperationStatus& status = *message.mutable_status();
  if (!operationId.empty()) status.mutable_operation_id()->set_value(operationId);
  status.set_state(static_cast<mesos::v1::OperationState>(state));
  if (!reason.empty()) status.set_message(reason);
  status.mutable_agent_id()->set_value(agentId);
  if (!uuid.empty()) message.mutable_operation_uuid()->set_value(uuid);
  return bytesOf(message);
}

std::string encodeAuthenticate(const std::string& pid) {
  internal::AuthenticateMessage message;
  message.set_pid(pid);
  return bytesOf(message);
}

std::string encodeAuthenticationStart(const std::string& mechanism) {
  internal::AuthenticationStartMessage message;
  message.set_mechanism(mechanism);
  // CRAM-MD5 begins with the server's challenge.
  message.set_data("");
  return bytesOf(message);
}

std::string encodeAuthenticationStep(const std::string& data) {
  internal::AuthenticationStepMessage message;
  message.set_data(data);
  return bytesOf(message);
}

}  // namespace gantry::agent::wire
