// The metrics of mesos-agent by Mesos' names, for /metrics/snapshot and GET_METRICS (reference: containerizer, 18).
// Those of things that this agent has not are there, with the value that says so, for dashboards that count on them.
#pragma once

#include <map>
#include <string>

#include "agent/api/agent_facts.hpp"
#include "agent/api/host_load.hpp"
#include "agent/tasks/manager.hpp"

namespace gantry::agent::api {

std::map<std::string, double> mesosMetrics(const AgentFacts& facts, const tasks::Snapshot& snapshot,
                                           const tasks::TaskCounters& counters, const HostLoad& host);

}  // namespace gantry::agent::api
