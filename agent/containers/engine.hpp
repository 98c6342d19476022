// The ContainerManager: knows every container and session, and starts, finds and clears them away.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/containers/container_life.hpp"
#include "agent/containers/engine_parts.hpp"
#include "agent/containers/manager.hpp"
#include "agent/containers/session_life.hpp"
#include "async/scope.hpp"

namespace gantry::agent {

// Order of use: construct, await recover(), serve, await stop(), destroy. Only used on the agent's thread.
class Engine final : public ContainerManager {
 public:
  explicit Engine(EngineParts parts);

  // Takes up what an earlier agent left, given what its database held:
  //
  // - A container that ran goes on, or gets the exit status that its monitor kept.
  // - One whose launch was cut, or that was running before the host was rebooted, is cleared away and reported.
  // - Whatever is on this host under our directories or in the ledger and belongs to no record is destroyed; so are
  //   sessions.
  // - A container whose record cannot be read is left as it is, record, processes and all, for an agent that can read
  //   it. Until then its id is taken, and every call for it fails with Unavailable.
  // - With `rebuild` (the database was corrupt) records are made anew from what runs.
  //
  // Completes when strangers are gone and, after a reboot, so is what was running before; containers of ours whose
  // launch was cut may take longer to be cleared away.
  async::Task<Result<void>> recover(state::Contents contents, bool rebuild);
  // Lets go of all containers, which go on running, for the next agent to find. Waits for what is being written.
  async::Task<> stop();

  async::Task<Result<LaunchOutcome>> launch(isolators::ContainerRequest request) override;
  async::Task<Result<void>> launchSession(SessionRequest request) override;
  async::Task<Result<Termination>> wait(ContainerId id) override;
  async::Task<Result<void>> kill(ContainerId id, int signal) override;
  async::Task<Result<void>> askToEnd(ContainerId id) override;
  async::Task<Result<void>> remove(ContainerId id) override;
  async::Task<Result<std::unique_ptr<Attachment>>> attach(ContainerId id, Attachment::Ends ends) override;

  std::vector<ContainerStatus> list() const override;
  Result<ContainerStatus> status(const ContainerId& id) const override;
  Result<isolators::Usage> usage(const ContainerId& id) override;

  const EngineCounters& counters() const { return counters_; }
  // The layer directories of every container there is, for ImageStore::prune. Unavailable when those of one are not
  // known: no layer may be deleted then.
  Result<std::set<std::string>> layersInUse() const;

 private:
  using LifePtr = std::shared_ptr<ContainerLife>;
  using SessionPtr = std::shared_ptr<SessionLife>;

  // The error for an id that belongs to nothing in this engine.
  Error unknown(const ContainerId& id) const;
  async::Task<> live(LifePtr life);
  LifePtr findContainer(const ContainerId& id) const;
  SessionPtr findSession(const ContainerId& id) const;
  void forget(const ContainerId& id);
  void forgetOldSessions(const ContainerId& container);

  // recovery.cpp
  std::vector<state::ContainerRecord> recordsOfWhatRuns() const;
  void takeUp(LifePtr life, bool rebooted, bool inLedger);
  std::set<std::string> strangers(const state::Contents& contents) const;
  async::Task<Result<void>> destroyStranger(ContainerId id, bool keepSandbox);

  EngineParts parts_;
  EngineCounters counters_;
  std::map<ContainerId, LifePtr> containers_;
  std::map<ContainerId, SessionPtr> sessions_;
  // Containers whose record cannot be read, by id; with their layers, where at least these are known.
  std::map<std::string, std::optional<std::vector<std::string>>> unreadable_;
  async::Scope scope_;
};

}  // namespace gantry::agent
