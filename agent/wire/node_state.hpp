// What this agent runs for whom, as answers of the v1 agent operator API: GET_STATE and its parts, GET_AGENT.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "agent/tasks/manager.hpp"
#include "agent/wire/agent_messages.hpp"
#include "agent/wire/media.hpp"

namespace gantry::agent::wire {

std::string encodeState(const tasks::Snapshot& snapshot, const AgentIdentity& agent, Media media);
std::string encodeTasks(const tasks::Snapshot& snapshot, const AgentIdentity& agent, Media media);
// One executor for each task: of a command task there is no such process, and it is shown as mesos-agent shows its own.
std::string encodeExecutors(const tasks::Snapshot& snapshot, Media media);
std::string encodeFrameworks(const tasks::Snapshot& snapshot, Media media);

// `info` is an AgentInfo, "" for an agent that has none.
std::string encodeAgent(const tasks::Message& info, const std::optional<tasks::DrainConfig>& drain, Media media);
// Of both there are none.
std::string encodeOperations(Media media);
std::string encodeResourceProviders(Media media);

std::string encodeMetrics(const std::map<std::string, double>& metrics, Media media);
std::string encodeLoggingLevel(std::uint32_t level, Media media);

// How the executor of a task is called where people read it.
struct ExecutorName {
  std::string name;
  std::string source;
};
ExecutorName executorNameOf(const tasks::Task& task);

}  // namespace gantry::agent::wire
