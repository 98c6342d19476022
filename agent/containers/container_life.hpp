// One container from its request to its end. A single coroutine owns its state; everybody else asks.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/containers/engine_parts.hpp"
#include "agent/containers/manager.hpp"
#include "async/event.hpp"
#include "async/scope.hpp"
#include "kernel/process.hpp"

namespace gantry::agent {

class SessionLife;

// The container of `request` with its directories and cgroup, as the isolators see it; without an image still.
isolators::Container containerOf(const EngineSettings& settings, isolators::ContainerRequest request);

// `container` with the layers and the configuration of its image.
Result<isolators::Container> withImage(isolators::Container container, const fetcher::Image& image);

// Held by shared_ptr; one of the coroutines run, resume, giveUp and cleanUpAgain is spawned once. Only used on the
// agent's thread.
class ContainerLife : public std::enable_shared_from_this<ContainerLife> {
 public:
  // A new container. `parts` and `counters` outlive this.
  ContainerLife(EngineParts& parts, EngineCounters& counters, isolators::ContainerRequest request);
  // One that an earlier agent recorded.
  static Result<std::shared_ptr<ContainerLife>> restore(EngineParts& parts, EngineCounters& counters,
                                                        const state::ContainerRecord& record);

  // Launches the container and stays with it to its end. A launch that fails leaves nothing behind, on disk neither.
  // When cancelled it returns at once and leaves everything as it is, for the next agent.
  async::Task<> run();
  // Goes on with a container that was running when an earlier agent ended, or has ended since.
  async::Task<> resume();
  // Clears away a container whose launch was cut, or that did not survive a reboot, and keeps its record.
  async::Task<> giveUp(Termination termination);
  // Tries the clean-up of an Exited container of an earlier agent once more, of which something is left.
  async::Task<> cleanUpAgain();

  // Completes when the program was released to run, or the launch failed and was cleaned up.
  async::Task<Result<void>> launched();
  // Completes when the container has ended and was cleaned up.
  async::Task<Result<Termination>> ended();

  // As ContainerManager::kill.
  Result<void> kill(int signal);
  // As ContainerManager::askToEnd.
  Result<void> askToEnd();
  // Deletes the sandbox and the record of an Exited container; tries a clean-up that failed once more before.
  async::Task<Result<void>> remove();
  async::Task<Result<std::unique_ptr<Attachment>>> attach(Attachment::Ends ends);

  ContainerStatus status() const;
  const isolators::Container& container() const { return *container_; }
  Phase phase() const { return phase_; }
  bool launchFailed() const { return launchOutcome_ && !*launchOutcome_; }
  // True when the failed launch or the removal took the record along.
  bool isForgotten() const { return forgotten_; }

  // Sessions end with their container.
  void addSession(std::shared_ptr<SessionLife> session);

 private:
  // container_launch.cpp
  async::Task<Result<void>> launch();
  async::Task<> launchInto(std::shared_ptr<std::optional<Result<void>>> outcome);
  async::Task<Result<void>> recordIntent();
  async::Task<Result<void>> prepare();
  async::Task<Result<void>> provision();
  async::Task<Result<void>> prepareBesideImage();
  Result<void> writeBundle();
  async::Task<Result<void>> create();
  async::Task<Result<void>> attachIsolators();
  async::Task<Result<void>> start();
  async::Task<Result<void>> recordRunning();

  // polite_end.cpp
  async::Task<> endAfterOthers();
  std::vector<kernel::Process> askOthers() const;

  // container_life.cpp
  async::Task<Result<void>> findAgain();
  async::Task<Result<void>> lookForMonitor();
  async::Task<> untilEnded();
  async::Task<> watchMonitor();
  void limit(isolators::Limitation limitation);
  // Drop is for a launch that failed: its caller was told, and nothing stays.
  enum class Record { Keep, Drop };
  async::Task<> finish(Termination termination, Record afterwards);
  async::Task<Result<void>> cleanUp();
  async::Task<Result<void>> removeDirectory(std::string path);
  // Makes the end durable, and then deletes the runtime directory, which tells of it too; not after a failed clean-up.
  async::Task<Result<void>> recordEnd();
  async::Task<Result<void>> forget();

  void setPhase(Phase phase);
  state::ContainerRecord record() const;

  EngineParts& parts_;
  EngineCounters& counters_;
  isolators::ContainerPtr container_;
  std::string requestJson_;
  std::string imageJson_;
  std::string imageDigest_;
  Phase phase_ = Phase::Starting;
  Clock::time_point created_ = Clock::now();
  std::optional<Clock::time_point> started_;
  std::optional<Clock::time_point> finished_;
  std::optional<Termination> termination_;

  Contributions contributions_;
  std::unique_ptr<Monitor> monitor_;
  kernel::ProcessId init_;
  kernel::Process process_;
  std::vector<std::shared_ptr<SessionLife>> sessions_;  // that may still run

  // While the launch runs: cancelling it gives the launch up.
  async::Scope* launchScope_ = nullptr;
  std::optional<int> signal_;
  // Asked for while the process of a container that was running before could not be opened.
  std::set<int> unsent_;
  std::optional<isolators::Limitation> limitation_;
  async::Event limited_;
  // While the program runs: for what goes on beside it.
  async::Scope* watches_ = nullptr;
  bool askedToEnd_ = false;
  // We ended the first process on behalf of the SIGTERM that the kernel did not give it.
  bool endedForSigterm_ = false;
  bool cleanupFailed_ = false;
  // What is left of it is being cleared away by one who may not be joined by a second.
  bool clearing_ = false;
  bool forgotten_ = false;
  std::optional<Result<void>> launchOutcome_;
  async::Event launchedEvent_;
  async::Event endedEvent_;
};

}  // namespace gantry::agent
