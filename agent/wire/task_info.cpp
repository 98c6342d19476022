#include "agent/wire/task_info.hpp"

#include <agent/wire/mesos_v1_tasks.pb.h>

#include <algorithm>

#include "agent/wire/container_info.hpp"
#include "agent/wire/docker_container.hpp"
#include "agent/wire/encoding.hpp"
#include "agent/wire/identifiers.hpp"
#include "agent/wire/messages.hpp"
#include "agent/wire/resource_format.hpp"

namespace gantry::agent::wire {
namespace {

using isolators::ContainerRequest;
using mesos::v1::FrameworkInfo;
using mesos::v1::TaskInfo;
using tasks::TaskRequest;

bool has(const FrameworkInfo& framework, FrameworkInfo::Capability::Type wanted) {
  return std::ranges::any_of(framework.capabilities(), [wanted](const auto& one) { return one.type() == wanted; });
}

Error notHere(const std::string& field, std::string_view what) {
  return Error(Code::Unsupported, field + ": " + std::string(what) + " not supported by this agent");
}

// The parts of a task that nothing here carries out.
Result<void> checkIsServed(const TaskInfo& task) {
  if (task.has_executor()) return notHere("task.executor", "executors of a framework are");
  if (task.has_health_check()) return notHere("task.health_check", "health checks are");
  if (task.has_check()) return notHere("task.check", "checks are");
  if (!task.has_command()) return Error::invalid("task.command", "is required");
  return {};
}

Result<std::optional<tasks::Duration>> durationFrom(bool present, const mesos::v1::DurationInfo& duration,
                                                    const std::string& field) {
  if (!present) return std::optional<tasks::Duration>();
  TRY(const tasks::Duration read, durationOf(duration.nanoseconds(), field));
  return std::optional<tasks::Duration>(read);
}

bool leavesSandbox(std::string_view path) {
  if (path.starts_with('/')) return true;
  while (!path.empty()) {
    const auto slash = path.find('/');
    if (path.substr(0, slash) == "..") return true;
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  }
  return false;
}

Result<std::vector<tasks::Uri>> urisFrom(const mesos::v1::CommandInfo& command) {
  std::vector<tasks::Uri> uris;
  for (int i = 0; i < command.uris_size(); ++i) {
    const auto& message = command.uris(i);
    const std::string field = "task.command.uris[" + std::to_string(i) + "]";
    if (message.value().empty()) return Error::invalid(field + ".value", "must not be empty");
    TRY_VOID(checkText(message.value(), field + ".value"));
    TRY_VOID(checkText(message.output_file(), field + ".output_file"));
    if (leavesSandbox(message.output_file())) {
      return Error::invalid(field + ".output_file", "must be a path within the sandbox");
    }
    uris.push_back({message.value(), message.executable(), message.extract(), message.cache(), message.output_file()});
  }
  return uris;
}

std::string allocationRole(const TaskInfo& task, const tasks::Framework& framework) {
  for (const auto& resource : task.resources()) {
    if (resource.has_allocation_info()) return resource.allocation_info().role();
  }
  return framework.roles.empty() ? "*" : framework.roles.front();
}

Result<void> readMesosTask(const TaskInfo& task, const tasks::Framework& framework, ContainerRequest& into) {
  mesos::v1::CommandInfo command = task.command();
  // As in Mesos, which does not look at them then.
  if (command.shell()) command.clear_arguments();
  TRY(into.command, commandFrom(command, "task.command"));
  if (!into.command.user) into.command.user = framework.user;
  if (!task.has_container()) return {};
  mesos::v1::ContainerInfo container = task.container();
  // The container of a task has cgroups of its own whatever this says (reference: containerizer, 5.1).
  if (container.has_linux_info()) container.mutable_linux_info()->clear_share_cgroups();
  return readMesosContainer(container, "task.container", into);
}

Result<void> checkHasProgram(const ContainerRequest& container) {
  if (container.image || container.command.value || !container.command.arguments.empty()) return {};
  return Error::invalid("task.command", "names no program, and there is no image to take one from");
}

void writeContainerStatus(const tasks::TaskStatus& status, const std::string& agentIp,
                          mesos::v1::ContainerStatus& message) {
  for (const auto& network : status.networks) writeNetwork(network, *message.add_network_infos());
  // A container in the host's network is reached at the agent's address.
  if (status.networks.empty()) message.add_network_infos()->add_ip_addresses()->set_ip_address(agentIp);
  if (status.pid > 0) message.set_executor_pid(static_cast<std::uint32_t>(status.pid));
  message.mutable_container_id()->set_value(status.containerId);
}

void writeLimitation(const std::vector<tasks::LimitedResource>& limited, mesos::v1::TaskResourceLimitation& message) {
  for (const auto& one : limited) {
    auto& resource = *message.add_resources();
    resource.set_name(one.name);
    resource.set_type(mesos::v1::Value::SCALAR);
    resource.mutable_scalar()->set_value(one.amount);
  }
}

}  // namespace

std::string schedulerPid(const std::string& pid) {
  return pid.starts_with('@') ? std::string() : pid;
}

Result<tasks::Framework> frameworkFrom(const FrameworkInfo& message, const std::string& pid) {
  TRY_VOID(checkId(message.id().value(), "framework.id.value"));
  tasks::Framework framework;
  framework.id = message.id().value();
  framework.name = message.name();
  framework.user = message.user();
  framework.principal = message.principal();
  if (has(message, FrameworkInfo::Capability::MULTI_ROLE)) {
    framework.roles.assign(message.roles().begin(), message.roles().end());
  } else {
    framework.roles = {message.role()};
  }
  framework.failoverTimeoutSeconds = message.failover_timeout();
  framework.checkpoint = message.checkpoint();
  framework.partitionAware = has(message, FrameworkInfo::Capability::PARTITION_AWARE);
  framework.taskKillingState = has(message, FrameworkInfo::Capability::TASK_KILLING_STATE);
  framework.pid = schedulerPid(pid);
  framework.info = encode(message, Media::Protobuf);
  return framework;
}

Result<TaskRequest> taskRequestFrom(const TaskInfo& message, const tasks::Framework& framework,
                                    const TaskDefaults& defaults) {
  TRY_VOID(checkId(message.task_id().value(), "task.task_id.value"));
  TRY_VOID(checkIsServed(message));
  // Whoever launches the task gives its container an id.
  TRY(ContainerId unnamed, ContainerId::root("task"));
  TaskRequest request{ContainerRequest(std::move(unnamed))};
  request.id = message.task_id().value();
  request.framework = framework.id;
  request.executor = request.id;
  request.name = message.name();
  request.role = allocationRole(message, framework);
  TRY(request.container.resources, resourcesFrom(message, "task"));
  if (message.container().type() == mesos::v1::ContainerInfo::DOCKER && message.has_container()) {
    TRY_VOID(readDockerTask(message, defaults, request.container));
    request.userIsOfHost = false;
  } else {
    TRY_VOID(readMesosTask(message, framework, request.container));
  }
  TRY_VOID(checkHasProgram(request.container));
  TRY(request.uris, urisFrom(message.command()));
  TRY(request.killGrace, durationFrom(message.kill_policy().has_grace_period(), message.kill_policy().grace_period(),
                                      "task.kill_policy.grace_period"));
  TRY(request.maxCompletionTime,
      durationFrom(message.has_max_completion_time(), message.max_completion_time(), "task.max_completion_time"));

  TaskInfo info = message;
  toStack(*info.mutable_resources());
  for (auto& resource : *info.mutable_resources()) {
    // An old master does not say to which role; with a framework of several there is no such master.
    if (!resource.has_allocation_info()) resource.mutable_allocation_info()->set_role(request.role);
    request.resources.push_back(encode(resource, Media::Protobuf));
  }
  request.info = encode(info, Media::Protobuf);
  return request;
}

void writeStatus(const tasks::TaskStatus& status, const std::string& task, const std::string& executor,
                 const AgentIdentity& agent, mesos::v1::TaskStatus& message) {
  message.mutable_task_id()->set_value(task);
  message.set_state(static_cast<mesos::v1::TaskState>(status.state));
  if (!status.message.empty()) message.set_message(status.message);
  message.mutable_agent_id()->set_value(agent.id);
  message.set_timestamp(secondsSinceEpoch(status.time));
  if (!executor.empty()) message.mutable_executor_id()->set_value(executor);
  if (status.healthy) message.set_healthy(*status.healthy);
  message.set_source(static_cast<mesos::v1::TaskStatus::Source>(status.source));
  if (status.reason) message.set_reason(static_cast<mesos::v1::TaskStatus::Reason>(*status.reason));
  message.set_uuid(status.uuid);
  if (!status.containerId.empty()) writeContainerStatus(status, agent.ip, *message.mutable_container_status());
  if (!status.limitation.empty()) writeLimitation(status.limitation, *message.mutable_limitation());
}

void writeTask(const tasks::Task& task, const AgentIdentity& agent, mesos::v1::Task& message) {
  TaskInfo info;
  // Half of what was asked would be told as all of it.
  if (!decode(task.info, Media::Protobuf, info)) info.Clear();
  message.set_name(task.name);
  message.mutable_task_id()->set_value(task.id);
  message.mutable_framework_id()->set_value(task.framework);
  // The executor of a command task is nobody's but the agent's.
  if (info.has_executor()) message.mutable_executor_id()->set_value(task.executor);
  message.mutable_agent_id()->set_value(agent.id);
  message.set_state(static_cast<mesos::v1::TaskState>(task.state));
  message.mutable_resources()->Swap(info.mutable_resources());
  for (const auto& status : task.statuses) writeStatus(status, task.id, task.executor, agent, *message.add_statuses());
  if (task.sentState) {
    message.set_status_update_state(static_cast<mesos::v1::TaskState>(*task.sentState));
    message.set_status_update_uuid(task.sentUuid);
  }
  if (info.has_labels()) *message.mutable_labels() = info.labels();
  if (info.has_discovery()) *message.mutable_discovery() = info.discovery();
  if (info.has_container()) *message.mutable_container() = info.container();
  const auto& command = info.has_command() ? info.command() : info.executor().command();
  if (command.has_user()) message.set_user(command.user());
  if (info.has_health_check()) *message.mutable_health_check() = info.health_check();
  if (info.has_kill_policy()) *message.mutable_kill_policy() = info.kill_policy();
  *message.mutable_limits() = info.limits();
}

}  // namespace gantry::agent::wire
