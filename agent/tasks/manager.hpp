// The tasks of a master's frameworks on this agent, from the message that asks for one to the acknowledgement of its
// last status.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/tasks/task.hpp"
#include "base/result.hpp"

namespace gantry::agent::tasks {

// Where status updates go: the link to the master. Consumer-side interface of the task manager.
class UpdateSink {
 public:
  virtual ~UpdateSink() = default;
  // Sends one update, without any promise that it arrives.
  virtual void send(const StatusUpdate& update) = 0;
};

// What a master may tell an agent that drains.
struct DrainConfig {
  std::optional<Duration> maxGracePeriod;
  bool markGone = false;
  Message config;  // DrainConfig
  // When this agent was told first; set by the task manager.
  std::optional<Clock::time_point> started;
};

struct FrameworkTasks {
  Framework framework;
  std::vector<Task> active;     // not ended, or their end is not acknowledged yet
  std::vector<Task> completed;  // the last ones, oldest first
};

// Everything at one moment.
struct Snapshot {
  std::vector<FrameworkTasks> frameworks;
  std::vector<FrameworkTasks> completedFrameworks;
  std::optional<DrainConfig> drain;
};

// Counted since the agent started.
struct TaskCounters {
  std::map<TaskState, std::uint64_t> ended;
  std::uint64_t validStatusUpdates = 0;
  std::uint64_t invalidStatusUpdates = 0;
  std::uint64_t launchErrors = 0;
};

// Only used on the agent's thread. No call waits: what has to be written or done goes on by itself, in order for each
// task, and its outcome is a status update.
class TaskManager {
 public:
  virtual ~TaskManager() = default;

  // What the master calls this agent: before the first run, and at every start that finds itself registered already.
  // Under another id than before, tasks of the old one are nobody's any more: they are ended without a word.
  virtual void registered(const std::string& agentId) = 0;

  // Starts a task. One whose id is taken in its framework is dropped with TASK_DROPPED (TASK_LOST for a framework that
  // is not partition aware), and REASON_TASK_INVALID.
  virtual void run(Framework framework, TaskRequest request) = 0;
  // A task that is not run: its only status is `state` with `reason` and `message`. States that are for partition aware
  // frameworks become TASK_LOST for others.
  virtual void refuse(Framework framework, std::string task, TaskState state, Reason reason, std::string message) = 0;
  // Again for each request; a shorter grace hastens the end. Unknown tasks of a known framework are answered with
  // TASK_DROPPED or TASK_LOST.
  virtual void kill(const std::string& framework, const std::string& task, std::optional<Duration> grace) = 0;
  // Ends all tasks of a framework, whose updates nobody wants any more.
  virtual void shutdownFramework(const std::string& framework) = 0;
  // The framework failed over or changed: its updates are sent again.
  virtual void updateFramework(Framework framework) = 0;
  virtual void acknowledge(const std::string& framework, const std::string& task, const std::string& uuid) = 0;
  // A task that the master knows of and this agent does not: told as dropped, with REASON_RECONCILIATION. Others:
  // nothing.
  virtual void reconcile(Framework framework, const std::string& task) = 0;
  // Takes no more tasks and ends all there are, with min(their grace, the config's).
  virtual void drain(DrainConfig config) = 0;
  // Ends everything, for good: the agent was shut down by its master.
  virtual void shutdown() = 0;

  // While connected, the first unacknowledged update of every task is sent to `sink`, and again with a growing delay;
  // otherwise they queue up.
  virtual void connected(UpdateSink& sink) = 0;
  virtual void disconnected() = 0;

  virtual Snapshot snapshot() const = 0;
  virtual const TaskCounters& counters() const = 0;
};

}  // namespace gantry::agent::tasks
