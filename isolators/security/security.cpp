#include "isolators/security/security.hpp"

#include <sys/utsname.h>

#include <algorithm>

#include <fmt/format.h>

#include "isolators/security/default_seccomp.hpp"
#include "isolators/security/host_devices.hpp"
#include "kernel/capability.hpp"

namespace gantry::isolators {
namespace {

using Names = std::vector<std::string>;

// What tells about other containers or the hardware, or has had holes; as Docker masks it.
const Names kMaskedPaths{
    "/proc/acpi",       "/proc/asound",        "/proc/interrupts",  "/proc/kcore",
    "/proc/keys",       "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi",
    "/proc/timer_list", "/proc/timer_stats",   "/sys/firmware",     "/sys/devices/virtual/powercap",
};

// What changes the host; as Docker has it.
const Names kReadonlyPaths{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};

bool contains(const Names& all, std::string_view one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

Names common(const Names& some, const Names& others) {
  Names both;
  std::copy_if(some.begin(), some.end(), std::back_inserter(both),
               [&](const std::string& one) { return contains(others, one); });
  return both;
}

Result<void> checkKnown(const Names& names, std::string_view field) {
  for (const std::string& name : names) {
    // The bundle holds the names as they are, and the specification has them in capitals.
    const auto number = kernel::capabilityNumber(name);
    if (!number || kernel::capabilityName(*number) != name) {
      return Error::invalid(field, fmt::format("'{}' is not a capability", name));
    }
  }
  return {};
}

Result<void> checkWithin(const Names& names, const Names& limit, std::string_view field, std::string_view reason) {
  for (const std::string& name : names) {
    if (!contains(limit, name)) return Error::invalid(field, fmt::format("'{}' {}", name, reason));
  }
  return {};
}

}  // namespace

Result<SecurityHost> SecurityHost::detect() {
  SecurityHost host;
  TRY(const kernel::CapabilitySets sets, kernel::capabilities());
  host.capabilities = kernel::capabilityNames(sets.permitted & kernel::boundingCapabilities());
  struct utsname system{};
  ::uname(&system);
  host.machine = system.machine;
  return host;
}

const Names& dockerCapabilities() {
  static const Names names{"CAP_AUDIT_WRITE", "CAP_CHOWN",   "CAP_DAC_OVERRIDE",     "CAP_FOWNER",    "CAP_FSETID",
                           "CAP_KILL",        "CAP_MKNOD",   "CAP_NET_BIND_SERVICE", "CAP_NET_RAW",   "CAP_SETFCAP",
                           "CAP_SETGID",      "CAP_SETPCAP", "CAP_SETUID",           "CAP_SYS_CHROOT"};
  return names;
}

const Names& SecurityIsolator::ceiling() const {
  return settings_.boundingCapabilities ? *settings_.boundingCapabilities : host_.capabilities;
}

Names SecurityIsolator::withheld() const {
  Names missing;
  for (const std::string& name : settings_.effectiveCapabilities.value_or(dockerCapabilities())) {
    if (!contains(host_.capabilities, name)) missing.push_back(name);
  }
  return missing;
}

Result<void> SecurityIsolator::check(const ContainerRequest& request) const {
  const Security& security = request.security;
  if (security.privileged && !settings_.allowPrivileged) {
    return Error::invalid("security.privileged", "the operator does not allow privileged containers");
  }
  if (security.seccompUnconfined && !settings_.allowUnconfined) {
    return Error::invalid("security.seccomp", "the operator does not allow containers without a seccomp profile");
  }
  const auto checkSet = [&](const std::optional<Names>& names, std::string_view field) -> Result<void> {
    if (!names) return {};
    TRY_VOID(checkKnown(*names, field));
    TRY_VOID(checkWithin(*names, ceiling(), field, "is beyond what the operator allows"));
    return checkWithin(*names, host_.capabilities, field, "is not held by this agent");
  };
  TRY_VOID(checkSet(security.effectiveCapabilities, "security.effective_capabilities"));
  TRY_VOID(checkSet(security.boundingCapabilities, "security.bounding_capabilities"));
  if (security.effectiveCapabilities && security.boundingCapabilities) {
    TRY_VOID(checkWithin(*security.effectiveCapabilities, *security.boundingCapabilities,
                         "security.effective_capabilities", "is not among the bounding capabilities"));
  }
  return {};
}

oci::Capabilities SecurityIsolator::capabilitiesFor(const Security& security) const {
  const Names most = common(ceiling(), host_.capabilities);
  oci::Capabilities sets;
  if (security.effectiveCapabilities) {
    sets.effective = sets.permitted = *security.effectiveCapabilities;
    if (!security.onlyRootHasCapabilities) sets.inheritable = sets.ambient = *security.effectiveCapabilities;
    sets.bounding = security.boundingCapabilities.value_or(*security.effectiveCapabilities);
    return sets;
  }
  const Names wanted = security.privileged ? most : settings_.effectiveCapabilities.value_or(dockerCapabilities());
  sets.bounding = common(security.boundingCapabilities.value_or(wanted), most);
  sets.effective = sets.permitted = common(wanted, sets.bounding);
  return sets;
}

Contribution SecurityIsolator::contribute(const ContainerRequest& request) const {
  const Security& security = request.security;
  Contribution contribution;
  contribution.capabilities = capabilitiesFor(security);
  contribution.noNewPrivileges = !security.privileged;
  if (!security.privileged) {
    contribution.maskedPaths = kMaskedPaths;
    contribution.readonlyPaths = kReadonlyPaths;
  }
  if (!security.privileged && !security.seccompUnconfined) {
    contribution.seccomp = defaultSeccomp(contribution.capabilities->bounding, host_.machine);
  }
  return contribution;
}

async::Task<Result<Contribution>> SecurityIsolator::prepare(ContainerPtr container) {
  Contribution contribution = contribute(container->request);
  if (container->request.security.privileged && container->request.image) {
    CO_TRY(contribution.devices, hostDevices("/dev"));
  }
  co_return contribution;
}

async::Task<Result<void>> SecurityIsolator::cleanup(ContainerPtr /*container*/) {
  co_return Result<void>();
}

}  // namespace gantry::isolators
