#include "agent/tasks/framework_tasks.hpp"

namespace gantry::agent::tasks {

FrameworkTasks FrameworkBook::describe() const {
  FrameworkTasks described{.framework = *framework};
  for (const auto& [id, life] : tasks) described.active.push_back(life->describe());
  for (const CompletedTask& each : completed) described.completed.push_back(each.task);
  return described;
}

Journal* FrameworkBook::find(const std::string& task) const {
  if (const auto found = tasks.find(task); found != tasks.end()) return &found->second->journal();
  if (const auto found = refused.find(task); found != refused.end()) return found->second.get();
  return nullptr;
}

}  // namespace gantry::agent::tasks
