// applyResources: limits and device rules, as writes to the groups' files.
#include <fcntl.h>
#include <cerrno>

#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "kernel/file.hpp"
#include "runtime/cgroup_files.hpp"
#include "runtime/cgroup_settings.hpp"
#include "runtime/device_policy.hpp"
#include "runtime/device_program.hpp"

namespace gantry::runtime {
namespace {

// Some controllers leak the kernel's own ENOTSUPP.
constexpr int kInternalNotSupported = 524;

// What an errno of a write means for who wrote the specification.
Error refusal(const CgroupSetting& setting, const Error& error) {
  const auto say = [&](Code code, std::string_view reason) {
    return Error(code, fmt::format("{}: {}", setting.member, reason));
  };
  switch (error.number()) {
    case ENOENT:
      return say(Code::Unsupported, fmt::format("this kernel has no '{}'", setting.file));
    case EOPNOTSUPP:
    case kInternalNotSupported:
      return say(Code::Unsupported, fmt::format("this kernel does not support '{}'", setting.file));
    case EINVAL:
    case ERANGE:
      return say(Code::InvalidArgument, fmt::format("'{}' does not take '{}'", setting.file, setting.value));
    case EBUSY:
      return say(Code::Busy, fmt::format("'{}' cannot be '{}' now: more is in use", setting.file, setting.value));
    default:
      return error.under(setting.member);
  }
}

Result<void> writeSetting(const kernel::Fd& group, const CgroupSetting& setting) {
  const auto written = kernel::writeExistingAt(group, setting.file, setting.value);
  if (!written) return setting.optional && written.error().number() == ENOENT ? Result<void>() : written.error();
  if (!setting.mayBeIgnored) return {};
  // Where it counts, the kernel rounds down to whole pages.
  TRY(const std::string now, kernel::readCgroupText(group, setting.file));
  const bool ignored = now.size() > setting.value.size() || (now.size() == setting.value.size() && now > setting.value);
  if (!ignored) return {};
  return Error::fromErrno(EOPNOTSUPP, fmt::format("write '{}'", setting.file));
}

// Some files of a controller bound each other (a memory limit must not exceed that of memory and swap, a burst not the
// quota), so the right order depends on what they held before: what is refused is tried once more after the others.
Result<void> writeSettings(const std::string& directory, const std::vector<CgroupSetting>& settings) {
  TRY(const kernel::Fd group, openGroup(directory));
  std::vector<CgroupSetting> postponed;
  for (const CgroupSetting& setting : settings) {
    const auto written = writeSetting(group, setting);
    if (written) continue;
    if (written.error().number() != EINVAL || settings.size() == 1) return refusal(setting, written.error());
    postponed.push_back(setting);
  }
  for (const CgroupSetting& setting : postponed) {
    const auto written = writeSetting(group, setting);
    if (!written) return refusal(setting, written.error());
  }
  return {};
}

// The member checkBeforeUpdate: rather no change than a group that must be killed to fit.
Result<void> checkMemoryInUse(const CgroupGroup& group, const oci::Memory& memory) {
  if (!memory.checkBeforeUpdate.value_or(false) || memory.limit.value_or(0) <= 0) return {};
  TRY(const kernel::Fd directory, openGroup(group.directory));
  TRY(const std::uint64_t used,
      kernel::readCgroupNumber(directory, group.isV2() ? "memory.current" : "memory.usage_in_bytes"));
  if (used <= static_cast<std::uint64_t>(*memory.limit)) return {};
  return Error::invalid("linux.resources.memory.limit",
                        fmt::format("{} bytes are in use, more than the limit of {}", used, *memory.limit));
}

Result<void> writeLines(const kernel::Fd& group, const char* file, const std::vector<std::string>& lines) {
  if (lines.empty()) return {};
  TRY(const kernel::Fd opened, kernel::openAt(group, file, O_WRONLY));
  for (const std::string& line : lines) {
    TRY_VOID(kernel::writeAll(opened, line).under(fmt::format("linux.resources.devices: '{}' to '{}'", line, file)));
  }
  return {};
}

std::vector<std::string> without(const std::vector<std::string>& all, const std::vector<std::string>& some) {
  std::vector<std::string> rest;
  std::copy_if(all.begin(), all.end(), std::back_inserter(rest),
               [&](const std::string& one) { return !contains(some, one); });
  return rest;
}

// v1: a new group has what its parent has. It is reset at once; one in use changes entry by entry, so that it is never
// without what it keeps, unless it allows everything by default (then its exceptions cannot be read back).
Result<void> writeDevices(const std::string& directory, const DevicePolicy& policy, bool fresh) {
  TRY(const kernel::Fd group, openGroup(directory));
  std::vector<std::string> wanted;
  for (const DevicePolicy::Exception& exception : policy.exceptions) wanted.push_back(toString(exception));
  std::vector<std::string> held;
  bool reset = true;
  if (!fresh || policy.allowByDefault) {
    TRY(const std::string list, kernel::readCgroupText(group, "devices.list"));
    const bool allowsByDefault = list.substr(0, 1) == "a";
    if (!fresh && !allowsByDefault && !policy.allowByDefault) {
      reset = false;
      held = splitWords(list, '\n');
    }
    if (fresh && allowsByDefault && policy.allowByDefault) reset = false;
  }
  const char* const exceptionFile = policy.allowByDefault ? "devices.deny" : "devices.allow";
  const char* const oppositeFile = policy.allowByDefault ? "devices.allow" : "devices.deny";
  if (reset) TRY_VOID(writeLines(group, oppositeFile, {"a"}));
  // The old ones go first: removing an entry would take its access from a new one for the same device.
  TRY_VOID(writeLines(group, oppositeFile, without(held, wanted)));
  return writeLines(group, exceptionFile, without(wanted, held));
}

Result<void> applyDevices(const std::vector<CgroupGroup>& groups, std::vector<oci::DeviceRule> rules, bool fresh) {
  const auto& defaults = defaultDeviceRules();
  rules.insert(rules.end(), defaults.begin(), defaults.end());
  TRY(const DevicePolicy policy, DevicePolicy::fromRules(rules));
  if (const CgroupGroup* group = groupWith(groups, "devices")) {
    auto written = writeDevices(group->directory, policy, fresh);
    const bool isRefused = !written && written.error().code() == Code::PermissionDenied && isUnprivileged();
    return isRefused ? Result<void>() : std::move(written);
  }
  if (const CgroupGroup* group = groupWith(groups, "cgroup")) return attachDevicePolicy(group->directory, policy);
  if (isUnprivileged()) return {};
  return Error(Code::Unsupported, "linux.resources.devices: no cgroup of this container can hold device rules");
}

}  // namespace

Result<void> applyResources(const std::vector<CgroupGroup>& groups, const oci::Resources& resources, bool fresh) {
  CgroupFacts facts;
  facts.hasSwap = kernel::exists("/proc/swaps");
  facts.versionOf = [&](std::string_view controller) -> Result<CgroupVersion> {
    const CgroupGroup* const group = groupWith(groups, controller);
    if (group != nullptr) return group->isV2() ? CgroupVersion::V2 : CgroupVersion::V1;
    return Error(Code::Unsupported, fmt::format("no cgroup of this container has the {} controller", controller));
  };
  facts.current = [&](std::string_view controller, const std::string& file) {
    const CgroupGroup* const group = groupWith(groups, controller);
    return group != nullptr ? textOf(group->directory, file) : std::string();
  };
  TRY(const std::vector<ControllerSettings> all, translateResources(resources, facts));
  if (resources.memory) {
    const CgroupGroup* const group = groupWith(groups, "memory");
    if (group != nullptr) TRY_VOID(checkMemoryInUse(*group, *resources.memory));
  }
  for (const ControllerSettings& one : all) {
    TRY_VOID(writeSettings(groupWith(groups, one.controller)->directory, one.settings));
  }
  if (fresh || !resources.devices.empty()) TRY_VOID(applyDevices(groups, resources.devices, fresh));
  return {};
}

}  // namespace gantry::runtime
