// The containers of tasks, with what they use: for /containers, /monitor/statistics and GET_CONTAINERS.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/containers/manager.hpp"
#include "agent/tasks/manager.hpp"

namespace gantry::agent::api {

struct ExecutorView {
  std::string framework;
  std::string id;
  std::string name;
  std::string source;
  ContainerStatus status;
  // Unset when it cannot be measured.
  std::optional<isolators::Usage> usage;
  Clock::time_point measured;
};

// Of tasks that have a container which has not ended.
std::vector<ExecutorView> viewExecutors(const tasks::Snapshot& snapshot, ContainerManager& containers);

}  // namespace gantry::agent::api
