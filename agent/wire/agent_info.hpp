// The agent's description of itself, a Mesos AgentInfo: made from the configuration, and compared with the one that an
// earlier agent registered with.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/resources/resources.hpp"
#include "agent/tasks/task.hpp"
#include "base/result.hpp"

namespace gantry::agent::wire {

struct AgentSettings {
  std::string hostname;
  std::uint16_t port = 5051;
  // --resources, as text or as a JSON array of Resource objects; what it does not name is taken from `host`.
  std::string resources;
  // --attributes
  std::string attributes;
  // Whose the resources are that name no role.
  std::string defaultRole = "*";
  // --domain, the JSON of a DomainInfo, or "".
  std::string domain;
  resources::Host host;
};

// The AgentInfo to register with, without an id. The same settings make the same bytes. InvalidArgument and Unsupported
// name the flag: "resources: 'cpus:x': …".
Result<tasks::Message> makeAgentInfo(const AgentSettings& settings);

tasks::Message withAgentId(const tasks::Message& agentInfo, const std::string& id);
// "" when it has none.
std::string agentIdOf(const tasks::Message& agentInfo);

// Whether an agent that was `before` may come back, under its id, as `now` (--reconfiguration_policy; reference:
// master-agent, 8.5). Ids are not compared. The error names what differs: "resources: 'cpus' were 8 and are 4".
Result<void> checkEqual(const tasks::Message& before, const tasks::Message& now);
// Only more resources and attributes.
Result<void> checkAdditive(const tasks::Message& before, const tasks::Message& now);

// The resources of an AgentInfo.
Result<resources::Resources> resourcesOf(const tasks::Message& agentInfo);

// Whether the agent has, in all, as much as a task wants. Whose it is does not count: reservations come and go, and the
// master keeps account of them. InvalidArgument: "resources: 'cpus' are 8 in all, and 9 are asked for".
Result<void> checkFits(const std::vector<tasks::Message>& wanted, const tasks::Message& agentInfo);

// One Resource as a value, whichever way its reservations are spelled, without the role it is allocated to.
// InvalidArgument for one whose value does not fit its type.
Result<resources::Resource> resourceFrom(const tasks::Message& resource);
Result<resources::Resources> resourcesFrom(const std::vector<tasks::Message>& list);
// The same as a Resource, with the stack of reservations.
tasks::Message resourceMessage(const resources::Resource& resource);

}  // namespace gantry::agent::wire
