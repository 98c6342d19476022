#include <agent/wire/mesos_v1_agent.pb.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "agent/wire/messages.hpp"

namespace gantry::agent::wire {
namespace {

using isolators::Resources;

constexpr double kMebi = 1024.0 * 1024.0;
constexpr Bytes kNoCeiling{std::numeric_limits<std::uint64_t>::max()};
// What Mesos' memory isolator gives at least (reference: containerizer, 5.1).
constexpr Bytes kLeastTaskMemory = Bytes::mebi(32);

// Reservations, persistent volumes and the like belong to tasks of a framework, not to a standalone container
// (reference: agent HTTP API, LAUNCH_CONTAINER validation).
Result<void> checkIsPlain(const mesos::v1::Resource& resource, const std::string& field) {
  const std::string unreserved = "must not be set: a standalone container's resources are unreserved";
  if (resource.has_role() && resource.role() != "*") return Error::invalid(field + ".role", unreserved);
  if (resource.has_reservation()) return Error::invalid(field + ".reservation", unreserved);
  if (resource.reservations_size() > 0) return Error::invalid(field + ".reservations", unreserved);
  if (resource.has_revocable()) return Error::invalid(field + ".revocable", "revocable resources are not supported");
  if (resource.has_disk()) return Error::invalid(field + ".disk", "persistent volumes and disks are not supported");
  if (resource.has_shared()) return Error::invalid(field + ".shared", "shared resources are not supported");
  if (resource.has_provider_id()) {
    return Error::invalid(field + ".provider_id", "resource providers are not supported");
  }
  if (resource.has_allocation_info()) {
    return Error::invalid(field + ".allocation_info",
                          "must not be set: nothing is allocated to a standalone container");
  }
  return {};
}

// Scalars carry three decimal digits in Mesos; anything finer is rounding noise of the client.
// `name` is the resource's, since the field alone only has its number.
Result<double> positive(double value, const std::string& field, const std::string& name) {
  if (std::isnan(value)) return Error::invalid(field, "the amount of '" + name + "' is not a number");
  const double rounded = std::isinf(value) ? value : std::round(value * 1000) / 1000;
  if (!(rounded > 0)) return Error::invalid(field, "the amount of '" + name + "' must be greater than 0");
  return rounded;
}

Result<Bytes> fromMebi(double value, const std::string& field, const std::string& name) {
  const double bytes = value * kMebi;
  if (bytes >= std::ldexp(1.0, 63)) return Error::invalid(field, "the amount of '" + name + "' is out of range");
  return Bytes{static_cast<std::uint64_t>(std::llround(bytes))};
}

// Mesos adds up entries of the same name.
Result<void> addMebi(double value, const std::string& field, const std::string& name, std::optional<Bytes>& total) {
  TRY(const Bytes bytes, fromMebi(value, field, name));
  const std::uint64_t before = total ? total->count : 0;
  if (bytes.count > (std::numeric_limits<std::uint64_t>::max() >> 1U) - before) {
    return Error::invalid(field, "the amount of '" + name + "' is out of range");
  }
  total = Bytes{before + bytes.count};
  return {};
}

// One of the amounts that a container is held to.
Result<void> addAmount(const mesos::v1::Resource& resource, const std::string& field, Resources& into) {
  const std::string& name = resource.name();
  if (resource.type() != mesos::v1::Value::SCALAR) return Error::invalid(field + ".type", "must be SCALAR");
  if (!resource.has_scalar()) return Error::invalid(field + ".scalar", "is required");

  const std::string valueField = field + ".scalar.value";
  TRY(const double value, positive(resource.scalar().value(), valueField, name));
  if (std::isinf(value)) return Error::invalid(valueField, "the amount of '" + name + "' must be finite");
  if (name == "mem") return addMebi(value, valueField, name, into.memory);
  if (name == "disk") return addMebi(value, valueField, name, into.disk);
  if (name == "cpus") {
    into.cpus = into.cpus.value_or(0) + value;
    return {};
  }
  if (std::trunc(value) != value) return Error::invalid(valueField, "the amount of 'pids' must be a whole number");
  // pid_max never exceeds 2^22 (proc_sys_kernel(5)), so that a larger number is a mistake.
  if (value > 4194304) return Error::invalid(valueField, "the amount of 'pids' must not exceed 4194304");
  into.pids = into.pids.value_or(0) + static_cast<std::uint64_t>(value);
  return {};
}

Result<void> addResource(const mesos::v1::Resource& resource, const std::string& field, Resources& into) {
  const std::string& name = resource.name();
  if (name != "cpus" && name != "mem" && name != "disk" && name != "pids") {
    return Error(Code::Unsupported,
                 field + ".name: '" + name + "' is not a resource of this agent (cpus, mem, disk, pids)");
  }
  TRY_VOID(checkIsPlain(resource, field));
  return addAmount(resource, field, into);
}

// What this agent has no means to give. Names it does not know are the operator's own, who counts them and no more.
Result<void> checkTaskResource(const mesos::v1::Resource& resource, const std::string& field) {
  if (resource.name() == "gpus" && resource.scalar().value() != 0) {
    return Error(Code::Unsupported, field + ".name: 'gpus' are not supported by this agent");
  }
  if (resource.has_provider_id()) {
    return Error(Code::Unsupported, field + ".provider_id: resource providers are not supported by this agent");
  }
  if (resource.disk().has_persistence() || resource.disk().has_volume()) {
    return Error(Code::Unsupported, field + ".disk: persistent volumes are not supported by this agent");
  }
  if (resource.disk().has_source()) {
    return Error(Code::Unsupported, field + ".disk.source: disks are not supported by this agent");
  }
  return {};
}

Result<void> addTaskResource(const mesos::v1::Resource& resource, const std::string& field, Resources& into) {
  TRY_VOID(checkTaskResource(resource, field));
  const std::string& name = resource.name();
  // Disk is counted; ports and the like are, too.
  if (name != "cpus" && name != "mem" && name != "pids") return {};
  // An amount of nothing asks for nothing.
  if (resource.has_scalar() && resource.scalar().value() == 0) return {};
  return addAmount(resource, field, into);
}

Result<void> setLimit(const std::string& name, double wanted, const std::string& field, Resources& into) {
  if (name != "cpus" && name != "mem") {
    return Error(Code::Unsupported, field + ": only 'cpus' and 'mem' can be limited");
  }
  const std::string valueField = field + ".value";
  TRY(const double value, positive(wanted, valueField, name));
  if (name == "cpus") {
    if (into.cpus && value < *into.cpus) return Error::invalid(valueField, "is below the requested cpus");
    into.cpusLimit = value;
    return {};
  }
  Bytes limit = kNoCeiling;
  if (!std::isinf(value)) {
    TRY(limit, fromMebi(value, valueField, name));
  }
  if (into.memory && limit < *into.memory) return Error::invalid(valueField, "is below the requested memory");
  into.memoryLimit = limit;
  return {};
}

}  // namespace

Result<Resources> resourcesFrom(const mesos::v1::agent::Call_LaunchContainer& launch, const std::string& field) {
  Resources resources;
  for (int i = 0; i < launch.resources_size(); ++i) {
    TRY_VOID(addResource(launch.resources(i), field + ".resources[" + std::to_string(i) + "]", resources));
  }
  for (const auto& [name, scalar] : launch.limits()) {
    TRY_VOID(setLimit(name, scalar.value(), field + ".limits." + name, resources));
  }
  return resources;
}

Result<Resources> resourcesFrom(const mesos::v1::TaskInfo& task, const std::string& field) {
  Resources resources;
  for (int i = 0; i < task.resources_size(); ++i) {
    TRY_VOID(addTaskResource(task.resources(i), field + ".resources[" + std::to_string(i) + "]", resources));
  }
  for (const auto& [name, scalar] : task.limits()) {
    TRY_VOID(setLimit(name, scalar.value(), field + ".limits." + name, resources));
  }
  resources.memory = std::max(resources.memory.value_or(Bytes{}), kLeastTaskMemory);
  if (resources.memoryLimit) resources.memoryLimit = std::max(*resources.memoryLimit, kLeastTaskMemory);
  return resources;
}

}  // namespace gantry::agent::wire
