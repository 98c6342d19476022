// The agent as its master knows it: `slave(1)`. Takes the master's messages, hands what they ask for to the tasks, and
// tells the master what becomes of those. Reference: master-agent, 2 to 4 and 7.
//
//   recovering ──begin()──▶ disconnected ◀──▶ running       terminating: the master said so, or unregister()
//                                 └───────────────┴──────────────▶
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/master/agent_record.hpp"
#include "agent/master/detector.hpp"
#include "agent/master/messenger.hpp"
#include "agent/master/registration.hpp"
#include "agent/state/store.hpp"
#include "agent/tasks/manager.hpp"
#include "agent/wire/agent_messages.hpp"
#include "agent/wire/master_messages.hpp"

namespace gantry::agent::master {

struct LinkSettings {
  RegistrationSettings registration;
  wire::TaskDefaults tasks;
  // Only what is there may be announced: a master sends what it was told can be taken.
  std::vector<wire::AgentCapability> capabilities = {
      wire::AgentCapability::MultiRole, wire::AgentCapability::HierarchicalRole,
      wire::AgentCapability::ReservationRefinement, wire::AgentCapability::AgentDraining,
      wire::AgentCapability::TaskResourceLimits};
};

// References to what main owns; everything outlives the link.
struct LinkParts {
  async::Executor executor;
  Messenger& messenger;
  Detector& detector;
  tasks::TaskManager& tasks;
  state::Store& store;
};

// What the endpoints show of it.
struct LinkFacts {
  std::string id;
  std::string pid;
  bool registered = false;
  std::string masterHostname;
  std::vector<std::string> capabilities;
  tasks::Message info;
  std::vector<tasks::Message> checkpointedResources;
};

// Only used on the agent's thread. Pings are answered from the beginning; all other messages are dropped before run().
class MasterLink final : public tasks::UpdateSink {
 public:
  // `record` is what an earlier agent left, `info` the AgentInfo of this one, which may go beside it.
  MasterLink(LinkParts parts, LinkSettings settings, AgentRecord record, tasks::Message info);
  MasterLink(const MasterLink&) = delete;
  MasterLink& operator=(const MasterLink&) = delete;
  ~MasterLink() override;

  // Registers and stays registered. Completes when the agent is to end: the master shut it down, or unregister() was
  // called; the tasks were told to end by then. Fails with PermissionDenied when the master refused the credential,
  // with Unsupported when it does not take this agent, and with Cancelled.
  async::Task<Result<void>> run();
  // Takes leave of the master and ends all tasks; run() completes.
  void unregister();
  // After that: the next start is a new agent. One that the master shut down stays the one that it was: who is gone may
  // not come back under another name.
  async::Task<Result<void>> forget();

  // tasks::UpdateSink.
  void send(const tasks::StatusUpdate& update) override;

  LinkFacts facts() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace gantry::agent::master
