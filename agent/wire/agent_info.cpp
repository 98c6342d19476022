#include "agent/wire/agent_info.hpp"

#include <agent/wire/mesos_v1_tasks.pb.h>

#include <algorithm>
#include <map>

#include "agent/wire/encoding.hpp"
#include "agent/wire/resource_format.hpp"
#include "agent/wire/resource_values.hpp"

namespace gantry::agent::wire {
namespace {

using mesos::v1::AgentInfo;
using mesos::v1::Resource;
using resources::Resources;

std::string entry(int index) {
  return "resources[" + std::to_string(index) + "]";
}

// A disk to keep things on, a revocable or a shared resource: nothing here knows how to give it.
Result<void> checkIsOffered(const Resource& resource, const std::string& field) {
  const auto refused = [&field](const char* part, const char* reason) {
    return Error(Code::Unsupported, field + "." + part + ": " + reason);
  };
  if (resource.has_disk()) return refused("disk", "persistent volumes and disks are not supported by this agent");
  if (resource.has_shared()) return refused("shared", "shared resources are not supported by this agent");
  if (resource.has_provider_id()) return refused("provider_id", "resource providers are not supported by this agent");
  if (resource.has_revocable()) return Error::invalid(field + ".revocable", "must not be set");
  if (resource.has_allocation_info()) return Error::invalid(field + ".allocation_info", "must not be set");
  if (resource.has_reservation()) {
    return Error::invalid(field + ".reservation", "must not be set: a dynamic reservation is made at the master");
  }
  for (const auto& reservation : resource.reservations()) {
    if (reservation.type() != Resource::ReservationInfo::STATIC) {
      return Error::invalid(field + ".reservations", "must be STATIC");
    }
    TRY_VOID(resources::checkRole(reservation.role(), field + ".reservations.role"));
  }
  if (resource.has_role()) TRY_VOID(resources::checkRole(resource.role(), field + ".role"));
  if (resource.has_role() && resource.reservations_size() > 0) {
    return Error::invalid(field + ".role", "excludes 'reservations'");
  }
  return {};
}

// Resources in JSON, `names` being all that are named, even with nothing of them.
Result<ResourceMessages> fromJsonText(const std::string& text) {
  mesos::v1::TaskResourceLimitation holder;
  TRY_VOID(fromJson("{\"resources\":" + text + "}", holder));
  for (int i = 0; i < holder.resources_size(); ++i) TRY_VOID(checkIsOffered(holder.resources(i), entry(i)));
  return std::move(*holder.mutable_resources());
}

Resource messageOf(const resources::NamedValue& named) {
  Resource message;
  message.set_name(named.name);
  writeValue(named.value, message);
  if (!named.role.empty()) message.set_role(named.role);
  return message;
}

Result<ResourceMessages> namedResources(const std::string& text) {
  const auto first = text.find_first_not_of(" \t\n");
  if (first != std::string::npos && text[first] == '[') return fromJsonText(text);
  auto parsed = resources::parseResources(text);
  if (!parsed) return std::move(parsed).error().under("resources");
  ResourceMessages messages;
  for (const auto& named : *parsed) *messages.Add() = messageOf(named);
  return messages;
}

void addDetected(const resources::Host& host, ResourceMessages& into) {
  std::vector<resources::NamedValue> names;
  for (const Resource& resource : into) names.push_back({resource.name(), "", resources::Scalar()});
  const std::size_t named = names.size();
  const auto all = resources::withHost(std::move(names), host);
  for (std::size_t i = named; i < all.size(); ++i) *into.Add() = messageOf(all[i]);
}

Result<Resources> totalOf(const ResourceMessages& messages) {
  Resources total;
  for (int i = 0; i < messages.size(); ++i) {
    auto value = valueOf(messages[i]);
    if (!value) return Error(value.error().code(), entry(i) + "." + value.error().message());
    if (auto added = total.add(*value); !added) return std::move(added).error().under("resources");
  }
  return total;
}

Result<void> writeResources(const AgentSettings& settings, AgentInfo& info) {
  TRY(ResourceMessages messages, namedResources(settings.resources));
  addDetected(settings.host, messages);
  for (Resource& resource : messages) {
    if (!resource.has_role() && resource.reservations_size() == 0) resource.set_role(settings.defaultRole);
  }
  TRY(const Resources total, totalOf(messages));
  for (const resources::Resource& resource : total.list()) {
    if (resource.name == "gpus") return Error(Code::Unsupported, "resources: 'gpus' are not supported by this agent");
    Resource& message = *info.add_resources();
    message = wire::messageOf(resource);
    toSingleRole(message);
  }
  return {};
}

Result<void> writeAttributes(const std::string& text, AgentInfo& info) {
  auto parsed = resources::parseAttributes(text);
  if (!parsed) return std::move(parsed).error().under("attributes");
  for (const auto& attribute : *parsed) {
    auto& message = *info.add_attributes();
    message.set_name(attribute.name);
    if (const auto* scalar = std::get_if<resources::Scalar>(&attribute.value)) {
      message.set_type(mesos::v1::Value::SCALAR);
      message.mutable_scalar()->set_value(scalar->value());
    } else if (const auto* ranges = std::get_if<resources::Ranges>(&attribute.value)) {
      message.set_type(mesos::v1::Value::RANGES);
      message.mutable_ranges();
      for (const auto& range : ranges->list()) {
        auto& written = *message.mutable_ranges()->add_range();
        written.set_begin(range.begin);
        written.set_end(range.end);
      }
    } else if (const auto* word = std::get_if<std::string>(&attribute.value)) {
      message.set_type(mesos::v1::Value::TEXT);
      message.mutable_text()->set_value(*word);
    }
  }
  return {};
}

Result<AgentInfo> read(const tasks::Message& message) {
  AgentInfo info;
  if (auto decoded = decode(message, Media::Protobuf, info); !decoded) {
    return std::move(decoded).error().under("the agent's description");
  }
  return info;
}

std::string_view known(bool present) {
  return present ? "set" : "not set";
}

Result<void> checkIdentity(const AgentInfo& before, const AgentInfo& now) {
  if (before.hostname() != now.hostname()) {
    return Error::invalid("hostname", "was '" + before.hostname() + "' and is '" + now.hostname() + "'");
  }
  if (before.port() != now.port()) {
    return Error::invalid("port", "was " + std::to_string(before.port()) + " and is " + std::to_string(now.port()));
  }
  return {};
}

Result<void> checkSameDomain(const AgentInfo& before, const AgentInfo& now) {
  if (before.domain().SerializeAsString() != now.domain().SerializeAsString() ||
      before.has_domain() != now.has_domain()) {
    return Error::invalid("domain", std::string("was ").append(known(before.has_domain())) +
                                        (now.has_domain() ? " and is another" : " and is not set"));
  }
  return {};
}

Result<Resources> totalOf(const AgentInfo& info) {
  return totalOf(info.resources());
}

std::string amountOf(const Resources& all, const resources::Resource& wanted) {
  for (const auto& one : all.list()) {
    if (one.name == wanted.name && one.identity == wanted.identity) return resources::toString(one.value);
  }
  return "none";
}

// The first of `some` that `all` does not have as much of.
Result<void> checkContains(const Resources& all, const Resources& some) {
  for (const auto& resource : some.list()) {
    if (all.contains(resource)) continue;
    return Error::invalid("resources", "'" + resource.name + "' was " + resources::toString(resource.value) +
                                           " and is " + amountOf(all, resource));
  }
  return {};
}

using Attributes = std::multimap<std::string, const mesos::v1::Attribute*>;

Attributes attributesOf(const AgentInfo& info) {
  Attributes attributes;
  for (const auto& attribute : info.attributes()) attributes.emplace(attribute.name(), &attribute);
  return attributes;
}

resources::Ranges rangesOf(const mesos::v1::Attribute& attribute) {
  std::vector<resources::Range> ranges;
  for (const auto& range : attribute.ranges().range()) ranges.push_back({range.begin(), range.end()});
  return resources::Ranges(std::move(ranges));
}

bool isSame(const mesos::v1::Attribute& before, const mesos::v1::Attribute& now) {
  return before.SerializeAsString() == now.SerializeAsString();
}

bool isSameOrMore(const mesos::v1::Attribute& before, const mesos::v1::Attribute& now) {
  if (isSame(before, now)) return true;
  return before.type() == mesos::v1::Value::RANGES && now.type() == before.type() &&
         rangesOf(now).contains(rangesOf(before));
}

using Comparison = bool (*)(const mesos::v1::Attribute&, const mesos::v1::Attribute&);

// Each attribute of `before` has its counterpart in `now`.
Result<void> checkKept(const AgentInfo& before, const AgentInfo& now, Comparison isKept) {
  const Attributes present = attributesOf(now);
  for (const auto& attribute : before.attributes()) {
    const auto [first, last] = present.equal_range(attribute.name());
    const bool kept = std::any_of(first, last, [&](const auto& one) { return isKept(attribute, *one.second); });
    if (!kept) return Error::invalid("attributes", "'" + attribute.name() + "' is not what it was");
  }
  return {};
}

// The sums by name alone.
Result<Resources> withoutOwners(const Resources& all) {
  Resources sums;
  for (const auto& resource : all.list()) TRY_VOID(sums.add({resource.name, resource.value, ""}));
  return sums;
}

}  // namespace

Result<tasks::Message> makeAgentInfo(const AgentSettings& settings) {
  AgentInfo info;
  info.set_hostname(settings.hostname);
  info.set_port(settings.port);
  info.set_checkpoint(true);
  TRY_VOID(resources::checkRole(settings.defaultRole, "default_role"));
  TRY_VOID(writeResources(settings, info));
  TRY_VOID(writeAttributes(settings.attributes, info));
  if (!settings.domain.empty()) {
    if (auto read = fromJson(settings.domain, *info.mutable_domain()); !read) {
      return std::move(read).error().under("domain");
    }
  }
  return encode(info, Media::Protobuf);
}

tasks::Message withAgentId(const tasks::Message& agentInfo, const std::string& id) {
  AgentInfo info;
  ENSURE(decode(agentInfo, Media::Protobuf, info), "the agent's description is not an AgentInfo");
  info.mutable_id()->set_value(id);
  return encode(info, Media::Protobuf);
}

std::string agentIdOf(const tasks::Message& agentInfo) {
  AgentInfo info;
  if (!decode(agentInfo, Media::Protobuf, info)) return {};
  return info.id().value();
}

Result<void> checkEqual(const tasks::Message& beforeMessage, const tasks::Message& nowMessage) {
  TRY(const AgentInfo before, read(beforeMessage));
  TRY(const AgentInfo now, read(nowMessage));
  TRY_VOID(checkIdentity(before, now));
  TRY_VOID(checkSameDomain(before, now));
  TRY(const Resources had, totalOf(before));
  TRY(const Resources has, totalOf(now));
  TRY_VOID(checkContains(has, had));
  for (const auto& resource : has.list()) {
    if (had.contains(resource)) continue;
    return Error::invalid("resources", "'" + resource.name + "' was " + amountOf(had, resource) + " and is " +
                                           resources::toString(resource.value));
  }
  TRY_VOID(checkKept(before, now, isSame));
  return checkKept(now, before, isSame);
}

Result<void> checkAdditive(const tasks::Message& beforeMessage, const tasks::Message& nowMessage) {
  TRY(const AgentInfo before, read(beforeMessage));
  TRY(const AgentInfo now, read(nowMessage));
  TRY_VOID(checkIdentity(before, now));
  if (before.has_domain()) TRY_VOID(checkSameDomain(before, now));
  TRY(const Resources had, totalOf(before));
  TRY(const Resources has, totalOf(now));
  TRY_VOID(checkContains(has, had));
  return checkKept(before, now, isSameOrMore);
}

Result<Resources> resourcesOf(const tasks::Message& agentInfo) {
  TRY(const AgentInfo info, read(agentInfo));
  return totalOf(info);
}

Result<void> checkFits(const std::vector<tasks::Message>& wanted, const tasks::Message& agentInfo) {
  TRY(const Resources named, resourcesFrom(wanted));
  TRY(const Resources sums, withoutOwners(named));
  TRY(const Resources present, resourcesOf(agentInfo));
  TRY(const Resources total, withoutOwners(present));
  for (const auto& resource : sums.list()) {
    if (total.contains(resource)) continue;
    return Error::invalid("resources", "'" + resource.name + "' are " + amountOf(total, resource) + " in all, and " +
                                           resources::toString(resource.value) + " are asked for");
  }
  return {};
}

Result<resources::Resource> resourceFrom(const tasks::Message& resource) {
  Resource message;
  TRY_VOID(decode(resource, Media::Protobuf, message));
  return valueOf(message);
}

Result<Resources> resourcesFrom(const std::vector<tasks::Message>& list) {
  Resources total;
  for (const tasks::Message& message : list) {
    TRY(const resources::Resource resource, resourceFrom(message));
    TRY_VOID(total.add(resource));
  }
  return total;
}

tasks::Message resourceMessage(const resources::Resource& resource) {
  return encode(wire::messageOf(resource), Media::Protobuf);
}

}  // namespace gantry::agent::wire
