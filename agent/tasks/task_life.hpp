// One command task, from the message that asked for it to its end: the agent does what an executor would.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agent/containers/manager.hpp"
#include "agent/tasks/journal.hpp"
#include "agent/tasks/task_manager.hpp"
#include "async/event.hpp"
#include "async/scope.hpp"

namespace gantry::agent::tasks {

// What all tasks share; outlives them.
struct LifeParts {
  const TaskSettings& settings;
  ContainerManager& containers;
  fetcher::UriFetcher& uris;
  async::Scope& scope;
  TaskCounters& counters;
  // What the master calls this agent.
  const std::string& agentId;
  // Set while the agent drains.
  const std::optional<DrainConfig>& drain;
};

// Held by shared_ptr; one of the coroutines run and resume is spawned once. Only used on the agent's thread.
class TaskLife : public std::enable_shared_from_this<TaskLife> {
 public:
  // `framework` is as the master last described it, at any time.
  TaskLife(LifeParts& parts, std::shared_ptr<const Framework> framework, TaskRequest request,
           std::shared_ptr<Journal> journal, Progress progress);

  // Launches the task and stays with it to its end. When cancelled it leaves everything as it is, for the next agent.
  async::Task<> run();
  // Goes on with the task of an earlier agent.
  async::Task<> resume();
  // After resume() was spawned: completes when the task is known to run, or has ended.
  async::Task<> decided();

  // As TaskManager::kill.
  void kill(std::optional<Duration> grace);
  // Ends it without a word.
  void discard(Duration grace);
  // The same for one that no master knows of: nobody is to see it any more.
  void orphan();
  bool isOrphan() const { return isOrphan_; }

  const TaskRequest& request() const { return request_; }
  Journal& journal() { return *journal_; }
  const Journal& journal() const { return *journal_; }
  bool hasEnded() const { return journal_->hasEnded(); }
  Task describe() const;

 private:
  async::Task<> launchAndWatch();
  async::Task<Result<void>> launch();
  Result<fetcher::UriUser> owner() const;
  async::Task<> fetchInto(std::shared_ptr<std::optional<Result<void>>> outcome);
  async::Task<Result<void>> fetch();
  async::Task<> giveUpLaunch();

  async::Task<> watch();
  async::Task<> enforce();
  async::Task<Result<void>> untilDue();
  async::Task<> end(TaskStatus status);
  void beginEnd(Ending why, Duration grace);
  void enforceIfNeeded();
  bool programHasEnded() const;
  Ending endingAtExit() const { return endingAtExit_.value_or(progress_.ending); }
  async::Task<> forgetContainer();
  void tellRunning(const ContainerStatus& container);
  void tellKilling();
  void tell(TaskStatus status);
  TaskStatus asExecutor(TaskState state) const;
  Duration ownGrace() const;

  // What is being done to bring the task up.
  enum class Step { Recording, Fetching, Launching, Launched };

  LifeParts& parts_;
  std::shared_ptr<const Framework> framework_;
  TaskRequest request_;
  std::shared_ptr<Journal> journal_;
  Progress progress_;
  Step step_ = Step::Recording;
  // While files are fetched: cancelling it gives that up.
  async::Scope* fetching_ = nullptr;
  // While the container runs: for what goes on beside it.
  async::Scope* beside_ = nullptr;
  bool enforcing_ = false;
  bool isOrphan_ = false;
  // Set when more was decided after the program had ended.
  std::optional<Ending> endingAtExit_;
  std::chrono::steady_clock::time_point killAt_;
  async::Event ended_;
  // The grace became shorter, or the end has begun.
  async::Notification hastened_;
  // Of the container, once it runs.
  pid_t pid_ = 0;
  std::vector<isolators::NetworkStatus> networks_;
};

}  // namespace gantry::agent::tasks
