// The task manager: takes tasks from a master, runs them in containers, and tells what becomes of them.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/containers/manager.hpp"
#include "agent/state/store.hpp"
#include "agent/tasks/manager.hpp"
#include "async/scope.hpp"
#include "async/task.hpp"
#include "fetcher/uris.hpp"

namespace gantry::agent::tasks {

struct TaskSettings {
  // --work_dir, absolute: sandboxes are in its subdirectory "slaves".
  std::string workDirectory;
  // How this agent is reached, for the environment of tasks and their address on the host's network.
  std::string ip;
  std::uint16_t port = 5051;
  // --executor_environment_variables.
  std::map<std::string, std::string> environment;
  // --switch_user: tasks run as the user they name; otherwise as the agent's own.
  bool switchUser = true;
  // What is the same for every fetch: cache, limits, frameworks_home.
  fetcher::UriRequest fetch;
  // What a task has between being asked to end and SIGKILL when nobody says otherwise: as mesos-executor.
  Duration killGrace = std::chrono::seconds(3);
  // --executor_shutdown_grace_period: the same when its framework is shut down.
  Duration shutdownGrace = std::chrono::seconds(5);
  // --recovery_timeout, for the environment of tasks only: ours wait for their agent as long as it takes.
  Duration recoveryTimeout = std::chrono::minutes(15);
  // Until an update that is not acknowledged is sent again; doubled each time, up to the longest.
  Duration firstResend = std::chrono::seconds(10);
  Duration longestResend = std::chrono::minutes(10);
  // What is remembered of what is over.
  std::size_t completedFrameworks = 50;
  std::size_t completedTasks = 150;  // of each framework: --max_completed_executors_per_framework
};

// References to what main owns; everything outlives the task manager.
struct TaskParts {
  async::Executor executor;
  TaskSettings settings;
  state::Store& store;
  ContainerManager& containers;
  fetcher::UriFetcher& uris;
};

// Order of use: construct; await recover() once the containers are recovered; use; await stop(), before the containers
// stop; destroy.
//
// Everything is written down before it is acted on and before it is told, so that an agent that is killed at any moment
// goes on where it was: a status is sent when it is durable, and the next one when the acknowledgement of the one
// before it is. Only used on the agent's thread.
class Tasks final : public TaskManager {
 public:
  explicit Tasks(TaskParts parts);
  Tasks(const Tasks&) = delete;
  Tasks& operator=(const Tasks&) = delete;
  ~Tasks() override;

  // Takes up the tasks of an earlier agent, given what the database held before the containers were recovered:
  //
  // - One that ran goes on; one that has ended since is told as it ended.
  // - One whose launch was cut is told as dropped, or as failed when its container may have run.
  // - Those of frameworks that do not checkpoint are destroyed, and so are containers in the sandbox of no task.
  // - What is not acknowledged is sent again, a drain and the end of a framework go on.
  //
  // Completes when it is known which tasks go on and which have ended, or that takes long. InvalidArgument names a
  // record that cannot be read; then nothing was touched, unless `skipUnreadable` (--no-strict) logs and leaves these
  // out.
  async::Task<Result<void>> recover(state::Contents contents, bool skipUnreadable);
  // Lets go of all tasks, which go on, for the next agent to take up; those of frameworks that do not checkpoint are
  // killed.
  async::Task<> stop();
  // Completes when there is no task left, after shutdown(); fails with Cancelled only.
  async::Task<Result<void>> untilEmpty();

  void registered(const std::string& agentId) override;
  void run(Framework framework, TaskRequest request) override;
  void refuse(Framework framework, std::string task, TaskState state, Reason reason, std::string message) override;
  void kill(const std::string& framework, const std::string& task, std::optional<Duration> grace) override;
  void shutdownFramework(const std::string& framework) override;
  void updateFramework(Framework framework) override;
  void acknowledge(const std::string& framework, const std::string& task, const std::string& uuid) override;
  void reconcile(Framework framework, const std::string& task) override;
  void drain(DrainConfig config) override;
  void shutdown() override;
  void connected(UpdateSink& sink) override;
  void disconnected() override;
  Snapshot snapshot() const override;
  const TaskCounters& counters() const override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace gantry::agent::tasks
