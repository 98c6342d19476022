#include "agent/api/state_json.hpp"

#include <agent/wire/mesos_v1_tasks.pb.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "agent/wire/encoding.hpp"
#include "agent/wire/node_state.hpp"
#include "agent/wire/resource_view.hpp"
#include "agent/wire/response.hpp"
#include "agent/wire/task_info.hpp"

namespace gantry::agent::api {
namespace {

using json = nlohmann::ordered_json;
using tasks::Task;
using wire::Amounts;

std::string dumped(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

double seconds(tasks::Clock::time_point time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

json messageJson(const google::protobuf::Message& message) {
  return json::parse(wire::toJson(message));
}

// ---- resources

// {"cpus": 8.0, "ports": "[31000-32000]"}: the four that Mesos always names, and what else there is.
json amountsJson(const Amounts& amounts) {
  json object = {{"disk", 0.0}, {"mem", 0.0}, {"gpus", 0.0}, {"cpus", 0.0}};
  for (const auto& [name, value] : amounts) {
    if (const auto* const scalar = std::get_if<resources::Scalar>(&value)) {
      object[name] = scalar->value();
    } else {
      object[name] = resources::toString(value);
    }
  }
  return object;
}

json byRole(const std::map<std::string, Amounts>& roles) {
  json object = json::object();
  for (const auto& [role, amounts] : roles) object[role] = amountsJson(amounts);
  return object;
}

json parsedList(const std::vector<std::string>& texts) {
  json list = json::array();
  for (const std::string& text : texts) list.push_back(json::parse(text));
  return list;
}

std::vector<tasks::Message> resourcesOf(const tasks::Snapshot& snapshot) {
  std::vector<tasks::Message> all;
  for (const auto& framework : snapshot.frameworks) {
    for (const Task& task : framework.active) {
      if (tasks::isTerminal(task.state)) continue;
      all.insert(all.end(), task.resources.begin(), task.resources.end());
    }
  }
  return all;
}

void addResources(json& state, const AgentFacts& facts, const tasks::Snapshot& snapshot) {
  const wire::ResourceView total = wire::viewAgentResources(facts.info);
  const wire::ResourceView allocated = wire::viewResources(resourcesOf(snapshot));
  state["resources"] = amountsJson(total.all);
  state["reserved_resources"] = byRole(total.reserved);
  state["unreserved_resources"] = amountsJson(total.unreserved);
  json reservedOnes = json::object();
  for (const auto& [role, ones] : total.reservedOnes) reservedOnes[role] = parsedList(ones);
  state["reserved_resources_full"] = std::move(reservedOnes);
  state["unreserved_resources_full"] = parsedList(total.unreservedOnes);
  state["reserved_resources_allocated"] = byRole(allocated.reserved);
  state["unreserved_resources_allocated"] = amountsJson(allocated.unreserved);
  state["resource_providers"] = json::array();
  state["attributes"] = json::parse(wire::attributesJson(facts.info));
}

// ---- tasks

json statusJson(const mesos::v1::TaskStatus& status) {
  json object = {{"state", mesos::v1::TaskState_Name(status.state())}, {"timestamp", status.timestamp()}};
  if (status.has_labels()) object["labels"] = messageJson(status.labels())["labels"];
  if (status.has_container_status()) {
    mesos::v1::ContainerStatus container = status.container_status();
    container.clear_executor_pid();
    object["container_status"] = messageJson(container);
  }
  if (status.has_healthy()) object["healthy"] = status.healthy();
  return object;
}

json taskJson(const Task& task, const wire::AgentIdentity& agent) {
  mesos::v1::Task message;
  wire::writeTask(task, agent, message);
  const wire::ResourceView resources = wire::viewResources(task.resources);
  json object = {{"id", task.id},
                 {"name", task.name},
                 {"framework_id", task.framework},
                 {"executor_id", message.executor_id().value()},
                 {"slave_id", agent.id},
                 {"state", tasks::toString(task.state)},
                 {"resources", amountsJson(resources.all)}};
  if (message.limits_size() > 0) {
    json limits = json::object();
    for (const auto& [name, limit] : message.limits()) {
      const double value = limit.value();
      limits[name] = std::isinf(value) ? json("Infinity") : json(value);
    }
    object["limits"] = std::move(limits);
  }
  object["role"] = task.role;
  object["statuses"] = json::array();
  for (const auto& status : message.statuses()) object["statuses"].push_back(statusJson(status));
  if (message.has_user()) object["user"] = message.user();
  if (message.has_labels()) object["labels"] = messageJson(message.labels())["labels"];
  if (message.has_discovery()) object["discovery"] = messageJson(message.discovery());
  if (message.has_container()) object["container"] = messageJson(message.container());
  if (message.has_health_check()) object["health_check"] = messageJson(message.health_check());
  return object;
}

// A task that has not been launched yet.
json queuedTaskJson(const Task& task, const wire::AgentIdentity& agent) {
  mesos::v1::TaskInfo info;
  ignore(wire::decode(task.info, wire::Media::Protobuf, info), "what can be read is told");
  json object = {{"id", task.id},
                 {"name", task.name},
                 {"slave_id", agent.id},
                 {"resources", amountsJson(wire::viewResources(task.resources).all)},
                 {"role", task.role}};
  if (info.has_command()) object["command"] = messageJson(info.command());
  if (info.has_executor()) object["executor_id"] = task.executor;
  if (info.has_discovery()) object["discovery"] = messageJson(info.discovery());
  return object;
}

// The executor of one task, as mesos-agent shows that of a command task.
json executorJson(const Task& task, const wire::AgentIdentity& agent) {
  wire::ExecutorName name = wire::executorNameOf(task);
  json object = {{"id", task.executor},
                 {"name", std::move(name.name)},
                 {"source", std::move(name.source)},
                 {"container", task.container ? task.container->text() : ""},
                 {"directory", task.sandbox},
                 {"resources", amountsJson(wire::viewResources(task.resources).all)},
                 {"role", task.role}};
  const bool hasEnded = tasks::isTerminal(task.state);
  const bool isQueued = task.state == tasks::TaskState::Staging;
  object["tasks"] = json::array();
  object["queued_tasks"] = json::array();
  object["completed_tasks"] = json::array();
  if (isQueued) {
    object["queued_tasks"].push_back(queuedTaskJson(task, agent));
  } else {
    object[hasEnded ? "completed_tasks" : "tasks"].push_back(taskJson(task, agent));
  }
  return object;
}

json frameworkJson(const tasks::FrameworkTasks& tasksOf, const wire::AgentIdentity& agent) {
  const tasks::Framework& framework = tasksOf.framework;
  mesos::v1::FrameworkInfo info;
  ignore(wire::decode(framework.info, wire::Media::Protobuf, info), "what can be read is told");
  json object = {{"id", framework.id},
                 {"name", framework.name},
                 {"user", framework.user},
                 {"failover_timeout", framework.failoverTimeoutSeconds},
                 {"checkpoint", framework.checkpoint},
                 {"hostname", info.hostname()}};
  if (!framework.principal.empty()) object["principal"] = framework.principal;
  const bool hasRoles = info.roles_size() > 0 || framework.roles.size() != 1;
  if (hasRoles) {
    object["roles"] = framework.roles;
  } else {
    object["role"] = framework.roles.front();
  }
  object["executors"] = json::array();
  for (const Task& task : tasksOf.active) object["executors"].push_back(executorJson(task, agent));
  object["completed_executors"] = json::array();
  for (const Task& task : tasksOf.completed) object["completed_executors"].push_back(executorJson(task, agent));
  return object;
}

json frameworksJson(const std::vector<tasks::FrameworkTasks>& frameworks, const wire::AgentIdentity& agent) {
  json list = json::array();
  for (const auto& framework : frameworks) list.push_back(frameworkJson(framework, agent));
  return list;
}

// ---- the agent

void addDrain(json& state, const tasks::Snapshot& snapshot) {
  if (!snapshot.drain) return;
  mesos::v1::DrainConfig config;
  ignore(wire::decode(snapshot.drain->config, wire::Media::Protobuf, config), "what can be read is told");
  state["drain_config"] = messageJson(config);
  if (!snapshot.drain->started) return;
  state["estimated_drain_start_time_seconds"] = std::floor(seconds(*snapshot.drain->started));
}

void addDomain(json& state, const AgentFacts& facts) {
  mesos::v1::AgentInfo info;
  if (!facts.info.empty()) ignore(wire::decode(facts.info, wire::Media::Protobuf, info), "what can be read is told");
  if (info.has_domain()) state["domain"] = messageJson(info.domain());
}

json entryJson(const ExecutorView& executor) {
  return {{"framework_id", executor.framework},
          {"executor_id", executor.id},
          {"executor_name", executor.name},
          {"source", executor.source}};
}

json statisticsJson(const ExecutorView& executor) {
  return json::parse(wire::statisticsJson(*executor.usage, executor.measured));
}

}  // namespace

std::string stateJson(const Settings& settings) {
  const AgentFacts facts = settings.facts();
  const tasks::Snapshot snapshot = settings.tasks();
  const wire::AgentIdentity agent{facts.id, facts.pid, facts.ip};
  json state = {{"version", settings.build.version},
                {"build_date", settings.build.date},
                {"build_time", static_cast<double>(settings.build.time)},
                {"build_user", settings.build.user},
                {"start_time", seconds(facts.started)},
                {"id", facts.id},
                {"pid", facts.pid},
                {"hostname", facts.hostname},
                {"capabilities", facts.capabilities}};
  addDomain(state, facts);
  addDrain(state, snapshot);
  addResources(state, facts, snapshot);
  if (!facts.masterHostname.empty()) state["master_hostname"] = facts.masterHostname;
  if (!settings.externalLogFile.empty()) state["external_log_file"] = settings.externalLogFile;
  state["flags"] = settings.flags;
  state["frameworks"] = frameworksJson(snapshot.frameworks, agent);
  state["completed_frameworks"] = frameworksJson(snapshot.completedFrameworks, agent);
  return dumped(state);
}

std::string containersJson(const std::vector<ExecutorView>& executors) {
  json list = json::array();
  for (const ExecutorView& executor : executors) {
    json entry = entryJson(executor);
    entry["container_id"] = executor.status.container->id().text();
    entry["status"] = json::parse(wire::containerStatusJson(executor.status));
    if (executor.usage) entry["statistics"] = statisticsJson(executor);
    list.push_back(std::move(entry));
  }
  return dumped(list);
}

std::string monitorJson(const std::vector<ExecutorView>& executors) {
  json list = json::array();
  for (const ExecutorView& executor : executors) {
    if (!executor.usage) continue;
    json entry = entryJson(executor);
    entry["statistics"] = statisticsJson(executor);
    list.push_back(std::move(entry));
  }
  return dumped(list);
}

}  // namespace gantry::agent::api
