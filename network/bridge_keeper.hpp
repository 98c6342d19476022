// The default bridge while the agent runs: its rules are made when the first container needs it, and it goes with them
// when nobody does. The interface itself is made by the CNI plug-in.
#pragma once

#include <optional>
#include <string>

#include "async/event.hpp"
#include "async/task.hpp"
#include "async/worker_pool.hpp"
#include "base/result.hpp"
#include "network/bridge.hpp"
#include "network/iptables.hpp"

namespace gantry::network {

// raise() and lower() wait for each other. The caller says when nobody uses the bridge. Only used on the agent's
// thread.
class BridgeKeeper {
 public:
  // `pool` is owned by the caller and outlives this.
  BridgeKeeper(async::Executor executor, async::WorkerPool& pool, BridgeOptions options);

  const NetworkConfig& network() const { return network_; }
  const Subnet& subnet() const { return options_.subnet; }
  // Its interface exists, or its rules may: also when an agent before this one was killed while it made or removed
  // them.
  bool isUp() const;

  // Makes the rules, once: somebody who flushes the host's rules later must restart the agent, as with every engine.
  // Unavailable without `iptables`.
  async::Task<Result<void>> raise(std::optional<Iptables> iptables);
  // Removes the interface and the rules. An interface that has ports, which are not ours then, is left alone.
  async::Task<Result<void>> lower(std::optional<Iptables> iptables);

 private:
  async::Task<Result<void>> takeTurn();
  void endTurn();
  async::Task<Result<void>> makeRules(Iptables iptables);
  async::Task<Result<void>> removeRules(Iptables iptables);

  async::WorkerPool& pool_;
  const BridgeOptions options_;
  const NetworkConfig network_;
  // This file is there before the rules are and until they are gone. The rules come before the interface and go after
  // it, so that the interface alone does not tell.
  const std::string marker_;
  bool raised_ = false;
  bool busy_ = false;
  async::Notification turnEnded_;
};

}  // namespace gantry::network
