// The variables that Mesos promises to every task.
#pragma once

#include <map>
#include <string>

#include "agent/tasks/task.hpp"
#include "agent/tasks/task_manager.hpp"

namespace gantry::agent::tasks {

// "5secs", "1.5mins": as Mesos prints durations.
std::string mesosDuration(Duration duration);

// All that a command task of mesos-agent finds in its environment, the executor's variables among it (reference:
// agent-http, 8), but for MESOS_SANDBOX, which depends on where the container sees it. What the task itself asked for
// wins.
std::map<std::string, std::string> taskEnvironment(const TaskSettings& settings, const std::string& agentId,
                                                   const Framework& framework, const TaskRequest& request,
                                                   const std::string& sandbox);

}  // namespace gantry::agent::tasks
