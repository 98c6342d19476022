// The JSON of Mesos' older endpoints: /state, /containers, /monitor/statistics (reference: agent HTTP API, 3).
#pragma once

#include <string>
#include <vector>

#include "agent/api/api.hpp"
#include "agent/api/executors.hpp"

namespace gantry::agent::api {

std::string stateJson(const Settings& settings);
std::string containersJson(const std::vector<ExecutorView>& executors);
// Without those that could not be measured.
std::string monitorJson(const std::vector<ExecutorView>& executors);

}  // namespace gantry::agent::api
