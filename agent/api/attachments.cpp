#include "agent/api/attachments.hpp"

namespace gantry::agent::api {
namespace {

void addTask(const tasks::Task& task, Attachments& into) {
  if (task.sandbox.empty()) return;
  into[task.sandbox] = task.sandbox;
  into[task.sandbox.substr(0, task.sandbox.rfind('/')) + "/latest"] = task.sandbox;
  into["/frameworks/" + task.framework + "/executors/" + task.executor + "/runs/latest"] = task.sandbox;
}

// Oldest first: of two runs the newer one is "latest".
void addTasks(const std::vector<tasks::FrameworkTasks>& frameworks, Attachments& into) {
  for (const tasks::FrameworkTasks& framework : frameworks) {
    for (const tasks::Task& task : framework.completed) addTask(task, into);
    for (const tasks::Task& task : framework.active) addTask(task, into);
  }
}

}  // namespace

Attachments attachmentsOf(const std::vector<ContainerStatus>& containers, const tasks::Snapshot& tasks,
                          const std::string& logFile) {
  Attachments attachments;
  for (const ContainerStatus& status : containers) {
    const isolators::Container& container = *status.container;
    if (container.sandbox.empty()) continue;
    attachments[container.sandbox] = container.sandbox;
    attachments["/containers/" + container.id().text()] = container.sandbox;
  }
  addTasks(tasks.completedFrameworks, attachments);
  addTasks(tasks.frameworks, attachments);
  if (!logFile.empty()) attachments["/slave/log"] = logFile;
  return attachments;
}

}  // namespace gantry::agent::api
