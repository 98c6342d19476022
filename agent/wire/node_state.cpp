#include "agent/wire/node_state.hpp"

#include <agent/wire/mesos_v1_agent.pb.h>
#include <agent/wire/mesos_v1_tasks.pb.h>

#include "agent/wire/encoding.hpp"
#include "agent/wire/task_info.hpp"

namespace gantry::agent::wire {
namespace {

using mesos::v1::agent::Response;

void write(const tasks::Snapshot& snapshot, const AgentIdentity& agent, Response::GetTasks& message) {
  for (const auto& framework : snapshot.frameworks) {
    for (const tasks::Task& task : framework.active) {
      const bool isQueued = task.state == tasks::TaskState::Staging;
      const bool hasEnded = tasks::isTerminal(task.state);
      writeTask(task, agent,
                hasEnded   ? *message.add_terminated_tasks()
                : isQueued ? *message.add_queued_tasks()
                           : *message.add_launched_tasks());
    }
  }
  for (const auto* const frameworks : {&snapshot.frameworks, &snapshot.completedFrameworks}) {
    for (const auto& framework : *frameworks) {
      for (const tasks::Task& task : framework.completed) writeTask(task, agent, *message.add_completed_tasks());
    }
  }
}

void write(const tasks::Task& task, mesos::v1::ExecutorInfo& message) {
  mesos::v1::TaskInfo info;
  ignore(decode(task.info, Media::Protobuf, info), "what is there is told");
  if (info.has_executor()) {
    message.Swap(info.mutable_executor());
  } else {
    const ExecutorName name = executorNameOf(task);
    message.set_name(name.name);
    message.set_source(name.source);
    message.mutable_resources()->Swap(info.mutable_resources());
    if (info.has_command()) message.mutable_command()->Swap(info.mutable_command());
  }
  message.mutable_executor_id()->set_value(task.executor);
  message.mutable_framework_id()->set_value(task.framework);
}

void write(const tasks::Snapshot& snapshot, Response::GetExecutors& message) {
  for (const auto& framework : snapshot.frameworks) {
    for (const auto& task : framework.active) write(task, *message.add_executors()->mutable_executor_info());
  }
  for (const auto* const frameworks : {&snapshot.frameworks, &snapshot.completedFrameworks}) {
    for (const auto& framework : *frameworks) {
      for (const auto& task : framework.completed) {
        write(task, *message.add_completed_executors()->mutable_executor_info());
      }
    }
  }
}

void write(const tasks::Framework& framework, mesos::v1::FrameworkInfo& message) {
  if (!framework.info.empty() && decode(framework.info, Media::Protobuf, message)) return;
  message.set_user(framework.user);
  message.set_name(framework.name);
  message.mutable_id()->set_value(framework.id);
}

void write(const tasks::Snapshot& snapshot, Response::GetFrameworks& message) {
  for (const auto& framework : snapshot.frameworks) {
    write(framework.framework, *message.add_frameworks()->mutable_framework_info());
  }
  for (const auto& framework : snapshot.completedFrameworks) {
    write(framework.framework, *message.add_completed_frameworks()->mutable_framework_info());
  }
}

// Mesos shows so much of a command.
std::string shortened(const std::string& command) {
  return command.size() > 15 ? command.substr(0, 12) + "..." : command;
}

}  // namespace

std::string encodeState(const tasks::Snapshot& snapshot, const AgentIdentity& agent, Media media) {
  Response response;
  response.set_type(Response::GET_STATE);
  write(snapshot, agent, *response.mutable_get_state()->mutable_get_tasks());
  write(snapshot, *response.mutable_get_state()->mutable_get_executors());
  write(snapshot, *response.mutable_get_state()->mutable_get_frameworks());
  return encode(response, media);
}

std::string encodeTasks(const tasks::Snapshot& snapshot, const AgentIdentity& agent, Media media) {
  Response response;
  response.set_type(Response::GET_TASKS);
  write(snapshot, agent, *response.mutable_get_tasks());
  return encode(response, media);
}

std::string encodeExecutors(const tasks::Snapshot& snapshot, Media media) {
  Response response;
  response.set_type(Response::GET_EXECUTORS);
  write(snapshot, *response.mutable_get_executors());
  return encode(response, media);
}

std::string encodeFrameworks(const tasks::Snapshot& snapshot, Media media) {
  Response response;
  response.set_type(Response::GET_FRAMEWORKS);
  write(snapshot, *response.mutable_get_frameworks());
  return encode(response, media);
}

std::string encodeAgent(const tasks::Message& info, const std::optional<tasks::DrainConfig>& drain, Media media) {
  Response response;
  response.set_type(Response::GET_AGENT);
  auto& part = *response.mutable_get_agent();
  if (!info.empty()) {
    ignore(decode(info, Media::Protobuf, *part.mutable_agent_info()), "what can be read is told");
    part.mutable_agent_info()->clear_checkpoint();
  }
  if (drain) {
    ignore(decode(drain->config, Media::Protobuf, *part.mutable_drain_config()), "what can be read is told");
    if (drain->started) {
      const auto since = std::chrono::duration_cast<std::chrono::nanoseconds>(drain->started->time_since_epoch());
      part.mutable_estimated_drain_start_time()->set_nanoseconds(since.count());
    }
  }
  return encode(response, media);
}

std::string encodeOperations(Media media) {
  Response response;
  response.set_type(Response::GET_OPERATIONS);
  response.mutable_get_operations();
  return encode(response, media);
}

std::string encodeResourceProviders(Media media) {
  Response response;
  response.set_type(Response::GET_RESOURCE_PROVIDERS);
  response.mutable_get_resource_providers();
  return encode(response, media);
}

std::string encodeMetrics(const std::map<std::string, double>& metrics, Media media) {
  Response response;
  response.set_type(Response::GET_METRICS);
  for (const auto& [name, value] : metrics) {
    auto& metric = *response.mutable_get_metrics()->add_metrics();
    metric.set_name(name);
    metric.set_value(value);
  }
  return encode(response, media);
}

std::string encodeLoggingLevel(std::uint32_t level, Media media) {
  Response response;
  response.set_type(Response::GET_LOGGING_LEVEL);
  response.mutable_get_logging_level()->set_level(level);
  return encode(response, media);
}

ExecutorName executorNameOf(const tasks::Task& task) {
  mesos::v1::TaskInfo info;
  ignore(decode(task.info, Media::Protobuf, info), "what is there is told");
  if (info.has_executor()) return {info.executor().name(), info.executor().source()};
  const std::string command = shortened(info.command().value());
  const std::string shown = info.command().shell() ? "sh -c '" + command + "'" : "[" + command + "]";
  return {"Command Executor (Task: " + task.id + ") (Command: " + shown + ")", task.id};
}

}  // namespace gantry::agent::wire
