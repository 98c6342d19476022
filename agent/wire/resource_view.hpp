// Resources as Mesos' endpoints show them: added up by name, and one by one.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/resources/value.hpp"
#include "agent/tasks/task.hpp"

namespace gantry::agent::wire {

// By name; of revocable ones by "cpus_revocable".
using Amounts = std::map<std::string, resources::Value>;

struct ResourceView {
  // Whoever they are reserved for.
  Amounts all;
  // By the role they are reserved for.
  std::map<std::string, Amounts> reserved;
  Amounts unreserved;
  // Each one as JSON, with both spellings of its reservations.
  std::map<std::string, std::vector<std::string>> reservedOnes;
  std::vector<std::string> unreservedOnes;
  // The role that they are allocated to, when it is one and the same for all; else "".
  std::string role;
};

// Of Resource messages; one that cannot be read is left out.
ResourceView viewResources(const std::vector<tasks::Message>& resources);
// Those of an AgentInfo.
ResourceView viewAgentResources(const tasks::Message& agentInfo);
// By name, as text or number: {"rack": "r1"}, in JSON.
std::string attributesJson(const tasks::Message& agentInfo);

// 0 for what is not there and is no scalar.
double scalarOf(const Amounts& amounts, const std::string& name);

}  // namespace gantry::agent::wire
