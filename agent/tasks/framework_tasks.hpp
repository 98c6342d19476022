// A framework with its tasks on this agent, and frameworks whose tasks are over: what the task manager keeps book of.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/tasks/journal.hpp"
#include "agent/tasks/manager.hpp"
#include "agent/tasks/task_life.hpp"

namespace gantry::agent::tasks {

// A task in the history, and its record in the database.
struct CompletedTask {
  std::int64_t number = 0;
  Task task;
};

struct FrameworkBook {
  explicit FrameworkBook(Framework what) : framework(std::make_shared<Framework>(std::move(what))) {}

  StoredFramework stored() const { return {.framework = *framework, .ending = ending}; }
  FrameworkTasks describe() const;
  // Whether a task or an update keeps it from being completed.
  bool isActive() const { return !tasks.empty() || !refused.empty(); }
  // Whether a master may ask after the task.
  bool knows(const std::string& task) const;
  // Whether the end of a task of this name is acknowledged, and still remembered.
  bool hasCompleted(const std::string& task) const;
  // The journal of a task that is not over, null for others.
  Journal* find(const std::string& task) const;

  // The tasks look at it, too.
  std::shared_ptr<Framework> framework;
  // It was shut down.
  bool ending = false;
  // By task id.
  std::map<std::string, std::shared_ptr<TaskLife>> tasks;
  // Tasks that were never run, until their one update is acknowledged.
  std::map<std::string, std::shared_ptr<Journal>> refused;
  // Oldest first.
  std::deque<CompletedTask> completed;
};

}  // namespace gantry::agent::tasks
