// Which files of this host can be listed and read over HTTP, and by which names: sandboxes and the agent's log.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/containers/manager.hpp"
#include "agent/tasks/manager.hpp"

namespace gantry::agent::api {

// Virtual path to the directory, or the file, that it stands for; every path below goes with it.
using Attachments = std::map<std::string, std::string, std::less<>>;

// - Each container's sandbox by its own path and as /containers/<id>.
// - Each task's, as Mesos' web UI asks for it: by its own path, by "latest" in its place when it is the newest run of
//   its executor, and as /frameworks/<framework>/executors/<executor>/runs/latest.
// - The agent's log as /slave/log, when somebody said where it is.
Attachments attachmentsOf(const std::vector<ContainerStatus>& containers, const tasks::Snapshot& tasks,
                          const std::string& logFile);

}  // namespace gantry::agent::api
