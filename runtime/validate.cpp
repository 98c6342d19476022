#include "runtime/validate.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

#include <fmt/format.h>

#include "kernel/credentials.hpp"
#include "kernel/file.hpp"
#include "runtime/mount_options.hpp"

namespace gantry::runtime {
namespace {

// sysctl(5) keys of the IPC namespace; beside them "fs.mqueue.*".
constexpr std::array<std::string_view, 8> kIpcSysctls{"kernel.msgmax", "kernel.msgmnb",         "kernel.msgmni",
                                                      "kernel.sem",    "kernel.shmall",         "kernel.shmmax",
                                                      "kernel.shmmni", "kernel.shm_rmid_forced"};

Error unsupported(std::string_view member, std::string_view reason) {
  return Error(Code::Unsupported, fmt::format("{}: {}", member, reason));
}

const oci::Namespace* findNamespace(const oci::Linux& linux, std::string_view type) {
  const auto found = std::find_if(linux.namespaces.begin(), linux.namespaces.end(),
                                  [&](const oci::Namespace& space) { return space.type == type; });
  return found == linux.namespaces.end() ? nullptr : &*found;
}

bool isNew(const oci::Linux& linux, std::string_view type) {
  const oci::Namespace* const space = findNamespace(linux, type);
  return space != nullptr && space->path.empty();
}

Result<void> validateUserNamespace(const oci::Linux& linux) {
  const bool hasMaps = !linux.uidMappings.empty() || !linux.gidMappings.empty();
  if (isNew(linux, "user") && !hasMaps) {
    return Error::invalid("linux.uidMappings", "must not be empty with a new user namespace");
  }
  if (!isNew(linux, "user") && hasMaps && findNamespace(linux, "user") == nullptr) {
    return Error::invalid("linux.uidMappings", "needs a user namespace");
  }
  return {};
}

Result<void> validateLinux(const oci::Spec& spec) {
  const oci::Linux& linux = *spec.linux;
  if (findNamespace(linux, "mount") == nullptr) {
    return Error::invalid("linux.namespaces", "a mount namespace is needed");
  }
  if (!spec.hostname.empty() && findNamespace(linux, "uts") == nullptr) {
    return Error::invalid("hostname", "needs a uts namespace");
  }
  if (!spec.domainname.empty() && findNamespace(linux, "uts") == nullptr) {
    return Error::invalid("domainname", "needs a uts namespace");
  }
  TRY_VOID(validateUserNamespace(linux));
  if (!linux.timeOffsets.empty() && !isNew(linux, "time")) {
    return Error::invalid("linux.timeOffsets", "needs a new time namespace");
  }
  for (const auto& [clock, offset] : linux.timeOffsets) {
    if (clock != "monotonic" && clock != "boottime") {
      return Error::invalid(fmt::format("linux.timeOffsets.{}", clock), "is neither monotonic nor boottime");
    }
  }
  for (const auto& [key, value] : linux.sysctl) TRY_VOID(validateSysctl(key, linux));
  TRY_VOID(parsePropagation(linux.rootfsPropagation));
  if (linux.intelRdt) return unsupported("linux.intelRdt", "is not supported");
  if (!linux.netDevices.empty()) return unsupported("linux.netDevices", "is not supported");
  if (linux.personality && !linux.personality->flags.empty()) {
    return unsupported("linux.personality.flags", "no flag is defined that is supported");
  }
  if (!linux.mountLabel.empty()) return unsupported("linux.mountLabel", "mount labels are not supported");
  return {};
}

}  // namespace

HostFeatures HostFeatures::detect() {
  HostFeatures features;
  const auto apparmor = kernel::readFile("/sys/module/apparmor/parameters/enabled");
  features.apparmor = apparmor && apparmor->starts_with('Y');
  features.selinux = kernel::exists("/sys/fs/selinux/enforce");
  return features;
}

std::string_view sysctlNamespace(const std::string& key) {
  std::string name = key;
  // "net/ipv4/ip_forward" is the other way of writing it.
  if (const auto first = name.find_first_of("./"); first != std::string::npos && name[first] == '/') {
    std::replace(name.begin(), name.end(), '/', '.');
  }
  const bool isIpc = std::find(kIpcSysctls.begin(), kIpcSysctls.end(), name) != kIpcSysctls.end();
  if (isIpc || name.starts_with("fs.mqueue.")) return "ipc";
  if (name.starts_with("net.")) return "network";
  return name == "kernel.domainname" ? "uts" : "";
}

Result<void> validateSysctl(const std::string& key, const oci::Linux& linux) {
  const std::string member = fmt::format("linux.sysctl.{}", key);
  const bool isWord = !key.empty() && key.front() != '.' && key.find("..") == std::string::npos &&
                      std::all_of(key.begin(), key.end(), [](char c) {
                        return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
                               std::string_view("._-/:").find(c) != std::string_view::npos;
                      });
  if (!isWord) return Error::invalid(member, "is not the name of a sysctl");
  if (key == "kernel.hostname" || key == "kernel/hostname") return Error::invalid(member, "is set by hostname");
  const std::string_view type = sysctlNamespace(key);
  if (type.empty()) return Error::invalid(member, "belongs to the host and to no namespace");
  if (findNamespace(linux, type) != nullptr) return {};
  return Error::invalid(member, fmt::format("needs {} {} namespace", type == "ipc" ? "an" : "a", type));
}

Result<void> validateProcess(const oci::Process& process, const HostFeatures& host) {
  if (!process.apparmorProfile.empty() && !host.apparmor) {
    return unsupported("process.apparmorProfile", "this kernel has no AppArmor");
  }
  if (!process.selinuxLabel.empty() && !host.selinux) {
    return unsupported("process.selinuxLabel", "this kernel has no SELinux");
  }
  for (std::size_t index = 0; index < process.rlimits.size(); ++index) {
    const std::string& type = process.rlimits[index].type;
    if (!kernel::rlimitNumber(type)) {
      return Error::invalid(fmt::format("process.rlimits[{}].type", index),
                            fmt::format("'{}' is not a resource limit", type));
    }
  }
  if (process.oomScoreAdj && (*process.oomScoreAdj < -1000 || *process.oomScoreAdj > 1000)) {
    return Error::invalid("process.oomScoreAdj", fmt::format("{} is not between -1000 and 1000", *process.oomScoreAdj));
  }
  return {};
}

Result<void> validate(const oci::Spec& spec, const HostFeatures& host) {
  if (!spec.root) return Error::invalid("root", "is missing");
  if (!spec.process) return Error::invalid("process", "is missing");
  if (!spec.linux) return Error::invalid("linux", "is missing");
  TRY_VOID(validateLinux(spec));
  return validateProcess(*spec.process, host);
}

}  // namespace gantry::runtime
