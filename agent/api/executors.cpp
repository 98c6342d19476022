#include "agent/api/executors.hpp"

#include "agent/wire/node_state.hpp"

namespace gantry::agent::api {

std::vector<ExecutorView> viewExecutors(const tasks::Snapshot& snapshot, ContainerManager& containers) {
  std::vector<ExecutorView> executors;
  for (const tasks::FrameworkTasks& framework : snapshot.frameworks) {
    for (const tasks::Task& task : framework.active) {
      if (!task.container) continue;
      auto status = containers.status(*task.container);
      if (!status || status->phase == Phase::Exited) continue;
      wire::ExecutorName name = wire::executorNameOf(task);
      ExecutorView view{task.framework,     task.executor, std::move(name.name), std::move(name.source),
                        *std::move(status), std::nullopt,  Clock::now()};
      if (auto usage = containers.usage(*task.container)) view.usage = *std::move(usage);
      executors.push_back(std::move(view));
    }
  }
  return executors;
}

}  // namespace gantry::agent::api
