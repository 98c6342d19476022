#include "agent/tasks/framework_tasks.hpp"

#include <algorithm>

namespace gantry::agent::tasks {

FrameworkTasks FrameworkBook::describe() const {
  FrameworkTasks described{.framework = *framework};
  for (const auto& [id, life] : tasks) {
    if (!life->isOrphan()) described.active.push_back(life->describe());
  }
  for (const CompletedTask& each : completed) described.completed.push_back(each.task);
  return described;
}

bool FrameworkBook::knows(const std::string& task) const {
  const auto found = tasks.find(task);
  return found != tasks.end() ? !found->second->isOrphan() : refused.contains(task);
}

bool FrameworkBook::hasCompleted(const std::string& task) const {
  return std::ranges::any_of(completed, [&task](const CompletedTask& each) { return each.task.id == task; });
}

Journal* FrameworkBook::find(const std::string& task) const {
  if (const auto found = tasks.find(task); found != tasks.end()) return &found->second->journal();
  if (const auto found = refused.find(task); found != refused.end()) return found->second.get();
  return nullptr;
}

}  // namespace gantry::agent::tasks
