// What the link to a master, and the tasks that come over it, get of the configuration.
#pragma once

#include <cstdint>
#include <string>

#include "agent/config/config.hpp"
#include "agent/master/agent_record.hpp"
#include "agent/master/link.hpp"
#include "agent/tasks/task_manager.hpp"
#include "base/result.hpp"

namespace gantry::agent {

// What the master is told of where we are.
struct OwnAddress {
  std::string ip;
  std::uint16_t port = 0;
  std::string hostname;
};
// `listening` and `port` are where the agent's socket is. Asks name services.
Result<OwnAddress> ownAddress(const Config& config, const std::string& listening, std::uint16_t port);

// Reads the credential.
Result<master::LinkSettings> linkSettings(const Config& config);
tasks::TaskSettings taskSettings(const Config& config, const OwnAddress& address);
// The AgentInfo, without an id.
Result<tasks::Message> describeAgent(const Config& config, const OwnAddress& address);

// What an earlier agent left, as far as this one, whose AgentInfo is `now`, may go on with it: one that differs more
// than the policy allows is refused, or after a reboot, when nothing runs any more, a new agent. Internal when what is
// stored makes no sense.
Result<master::AgentRecord> recordToGoOnWith(const Config& config, const std::map<std::string, std::string>& facts,
                                             const tasks::Message& now, bool rebooted);

}  // namespace gantry::agent
