// What this agent is to its masters, kept in the database from one start to the next.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/state/records.hpp"
#include "agent/tasks/task.hpp"
#include "base/result.hpp"

namespace gantry::agent::master {

// A value.
struct AgentRecord {
  // What the masters call this agent; "" before one did.
  std::string id;
  // AgentInfo, as of the last registration; "" before it.
  tasks::Message info;
  // Resource: the dynamic reservations and persistent volumes that the master told last.
  std::vector<tasks::Message> checkpointedResources;
};

// Internal when what is stored makes no sense.
Result<AgentRecord> readAgentRecord(const std::map<std::string, std::string>& facts);

// Changes that make the record so.
state::Change putAgentId(const std::string& id);
state::Change putAgentInfo(const tasks::Message& info);
// `message`: the CheckpointResourcesMessage as it came.
state::Change putCheckpointedResources(const std::string& message);
// The next start is a new agent to the masters.
std::vector<state::Change> forgetAgent();

}  // namespace gantry::agent::master
