#include "agent/api/mesos_metrics.hpp"

#include <array>
#include <string_view>

#include "agent/wire/resource_view.hpp"

namespace gantry::agent::api {
namespace {

using Metrics = std::map<std::string, double>;
using tasks::TaskState;

// "slave/tasks_running" counts those that are now, "slave/tasks_failed" those that ever were.
void addTasks(Metrics& metrics, const tasks::Snapshot& snapshot, const tasks::TaskCounters& counters) {
  constexpr std::array<std::pair<TaskState, std::string_view>, 4> kNow = {{{TaskState::Staging, "staging"},
                                                                           {TaskState::Starting, "starting"},
                                                                           {TaskState::Running, "running"},
                                                                           {TaskState::Killing, "killing"}}};
  constexpr std::array<std::pair<TaskState, std::string_view>, 5> kEver = {{{TaskState::Finished, "finished"},
                                                                            {TaskState::Failed, "failed"},
                                                                            {TaskState::Killed, "killed"},
                                                                            {TaskState::Lost, "lost"},
                                                                            {TaskState::Gone, "gone"}}};
  std::map<TaskState, double> now;
  double running = 0;
  double terminating = 0;
  for (const auto& framework : snapshot.frameworks) {
    for (const tasks::Task& task : framework.active) {
      ++now[task.state];
      if (!task.container || tasks::isTerminal(task.state)) continue;
      ++(task.state == TaskState::Killing ? terminating : running);
    }
  }
  for (const auto& [state, name] : kNow) metrics["slave/tasks_" + std::string(name)] = now[state];
  double ended = 0;
  for (const auto& [state, count] : counters.ended) ended += static_cast<double>(count);
  for (const auto& [state, name] : kEver) {
    const auto found = counters.ended.find(state);
    metrics["slave/tasks_" + std::string(name)] =
        found == counters.ended.end() ? 0 : static_cast<double>(found->second);
  }
  metrics["slave/executors_registering"] = 0;
  metrics["slave/executors_running"] = running;
  metrics["slave/executors_terminating"] = terminating;
  metrics["slave/executors_terminated"] = ended;
  metrics["slave/executors_preempted"] = 0;
  metrics["slave/frameworks_active"] = static_cast<double>(snapshot.frameworks.size());
  metrics["slave/valid_status_updates"] = static_cast<double>(counters.validStatusUpdates);
  metrics["slave/invalid_status_updates"] = static_cast<double>(counters.invalidStatusUpdates);
  metrics["slave/container_launch_errors"] = static_cast<double>(counters.launchErrors);
}

void addResources(Metrics& metrics, const AgentFacts& facts, const tasks::Snapshot& snapshot) {
  std::vector<tasks::Message> taken;
  for (const auto& framework : snapshot.frameworks) {
    for (const tasks::Task& task : framework.active) {
      if (tasks::isTerminal(task.state)) continue;
      taken.insert(taken.end(), task.resources.begin(), task.resources.end());
    }
  }
  const wire::Amounts total = wire::viewAgentResources(facts.info).all;
  const wire::Amounts used = wire::viewResources(taken).all;
  for (const char* const name : {"cpus", "gpus", "mem", "disk"}) {
    for (const char* const kind : {"", "_revocable"}) {
      const std::string resource = std::string(name) + kind;
      const double all = wire::scalarOf(total, resource);
      const double some = wire::scalarOf(used, resource);
      metrics["slave/" + resource + "_total"] = all;
      metrics["slave/" + resource + "_used"] = some;
      metrics["slave/" + resource + "_percent"] = all > 0 ? some / all : 0;
    }
  }
}

void addHost(Metrics& metrics, const HostLoad& host) {
  metrics["system/cpus_total"] = static_cast<double>(host.cpus);
  metrics["system/load_1min"] = host.oneMinute;
  metrics["system/load_5min"] = host.fiveMinutes;
  metrics["system/load_15min"] = host.fifteenMinutes;
  metrics["system/mem_total_bytes"] = static_cast<double>(host.memoryTotal.count);
  metrics["system/mem_free_bytes"] = static_cast<double>(host.memoryFree.count);
}

}  // namespace

Metrics mesosMetrics(const AgentFacts& facts, const tasks::Snapshot& snapshot, const tasks::TaskCounters& counters,
                     const HostLoad& host) {
  using Seconds = std::chrono::duration<double>;
  Metrics metrics;
  for (const char* const unused :
       {"containerizer/mesos/container_destroy_errors", "containerizer/mesos/provisioner/remove_container_errors",
        "gc/path_removals_failed", "gc/path_removals_pending", "gc/path_removals_succeeded",
        "resource_provider_manager/events/disconnect", "resource_provider_manager/events/subscribe",
        "resource_provider_manager/subscribed", "slave/invalid_framework_messages", "slave/valid_framework_messages"}) {
    metrics[unused] = 0;
  }
  metrics["slave/registered"] = facts.registered ? 1 : 0;
  metrics["slave/uptime_secs"] = Seconds(tasks::Clock::now() - facts.started).count();
  metrics["slave/recovery_errors"] = static_cast<double>(facts.recoveryErrors);
  if (facts.recovery) metrics["slave/recovery_time_secs"] = Seconds(*facts.recovery).count();
  addTasks(metrics, snapshot, counters);
  addResources(metrics, facts, snapshot);
  addHost(metrics, host);
  return metrics;
}

}  // namespace gantry::agent::api
