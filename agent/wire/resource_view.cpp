#include "agent/wire/resource_view.hpp"

#include <agent/wire/mesos_v1_tasks.pb.h>

#include <nlohmann/json.hpp>

#include "agent/wire/encoding.hpp"
#include "agent/wire/resource_format.hpp"
#include "agent/wire/resource_values.hpp"

namespace gantry::agent::wire {
namespace {

void addTo(Amounts& amounts, const std::string& name, const resources::Value& value) {
  const auto [found, isNew] = amounts.emplace(name, value);
  // Of two kinds under one name the first counts; a master lets no such agent in.
  if (!isNew && found->second.index() == value.index()) resources::add(found->second, value);
}

void addTo(ResourceView& view, const mesos::v1::Resource& message) {
  const auto resource = valueOf(message);
  if (!resource) return;
  const std::string name = resource->name + (message.has_revocable() ? "_revocable" : "");
  addTo(view.all, name, resource->value);
  mesos::v1::Resource shown = message;
  toBoth(shown);
  const std::string role = reservationRole(message);
  if (role == "*") {
    addTo(view.unreserved, name, resource->value);
    view.unreservedOnes.push_back(toJson(shown));
  } else {
    addTo(view.reserved[role], name, resource->value);
    view.reservedOnes[role].push_back(toJson(shown));
  }
}

// The role of all of them, or "".
std::string commonRole(const std::vector<mesos::v1::Resource>& messages) {
  std::string role;
  for (const auto& message : messages) {
    if (!role.empty() && message.allocation_info().role() != role) return "";
    role = message.allocation_info().role();
  }
  return role;
}

nlohmann::ordered_json numberOrText(const mesos::v1::Attribute& attribute) {
  switch (attribute.type()) {
    case mesos::v1::Value::SCALAR:
      return attribute.scalar().value();
    case mesos::v1::Value::RANGES: {
      std::vector<resources::Range> ranges;
      for (const auto& range : attribute.ranges().range()) ranges.push_back({range.begin(), range.end()});
      return resources::toString(resources::Ranges(std::move(ranges)));
    }
    case mesos::v1::Value::SET:
      return resources::toString(resources::Set({attribute.set().item().begin(), attribute.set().item().end()}));
    default:
      return attribute.text().value();
  }
}

}  // namespace

ResourceView viewResources(const std::vector<tasks::Message>& resources) {
  std::vector<mesos::v1::Resource> messages;
  for (const tasks::Message& resource : resources) {
    mesos::v1::Resource message;
    if (decode(resource, Media::Protobuf, message)) messages.push_back(std::move(message));
  }
  ResourceView view;
  for (const auto& message : messages) addTo(view, message);
  view.role = commonRole(messages);
  return view;
}

ResourceView viewAgentResources(const tasks::Message& agentInfo) {
  mesos::v1::AgentInfo agent;
  ResourceView view;
  if (agentInfo.empty() || !decode(agentInfo, Media::Protobuf, agent)) return view;
  for (const auto& message : agent.resources()) addTo(view, message);
  return view;
}

std::string attributesJson(const tasks::Message& agentInfo) {
  nlohmann::ordered_json attributes = nlohmann::ordered_json::object();
  mesos::v1::AgentInfo agent;
  if (!agentInfo.empty() && decode(agentInfo, Media::Protobuf, agent)) {
    for (const auto& attribute : agent.attributes()) attributes[attribute.name()] = numberOrText(attribute);
  }
  return attributes.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

double scalarOf(const Amounts& amounts, const std::string& name) {
  const auto found = amounts.find(name);
  if (found == amounts.end()) return 0;
  const auto* const scalar = std::get_if<resources::Scalar>(&found->second);
  return scalar == nullptr ? 0 : scalar->value();
}

}  // namespace gantry::agent::wire
