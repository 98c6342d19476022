// What the engine wants of monitors: to start them, find them again, and hear of one that dies.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "agent/containers/monitor_client.hpp"

namespace gantry::agent {

// Only used on the agent's thread.
class Monitors {
 public:
  virtual ~Monitors() = default;
  // As Monitor::start and Monitor::find.
  virtual async::Task<Result<std::unique_ptr<Monitor>>> start(MonitorCommand command) = 0;
  virtual async::Task<Result<std::unique_ptr<Monitor>>> find(std::string directory) = 0;
  // Completes when the monitor of `directory` has ended without leaving an exit record; otherwise waits until it is
  // cancelled.
  virtual async::Task<> lost(std::string directory) = 0;
};

// Real ones: gantry-monitor.
class MonitorPrograms final : public Monitors {
 public:
  async::Task<Result<std::unique_ptr<Monitor>>> start(MonitorCommand command) override;
  async::Task<Result<std::unique_ptr<Monitor>>> find(std::string directory) override;
  async::Task<> lost(std::string directory) override;
};

// Kills the first process that the monitor of `directory` noted there, if it still runs.
void killFirstProcess(const std::string& directory);

}  // namespace gantry::agent
