#include "kernel/capability.hpp"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cctype>
#include <cerrno>

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace gantry::kernel {
namespace {

// In the order of linux/capability.h.
constexpr std::array<std::string_view, 41> kNames{"CHOWN",
                                                  "DAC_OVERRIDE",
                                                  "DAC_READ_SEARCH",
                                                  "FOWNER",
                                                  "FSETID",
                                                  "KILL",
                                                  "SETGID",
                                                  "SETUID",
                                                  "SETPCAP",
                                                  "LINUX_IMMUTABLE",
                                                  "NET_BIND_SERVICE",
                                                  "NET_BROADCAST",
                                                  "NET_ADMIN",
                                                  "NET_RAW",
                                                  "IPC_LOCK",
                                                  "IPC_OWNER",
                                                  "SYS_MODULE",
                                                  "SYS_RAWIO",
                                                  "SYS_CHROOT",
                                                  "SYS_PTRACE",
                                                  "SYS_PACCT",
                                                  "SYS_ADMIN",
                                                  "SYS_BOOT",
                                                  "SYS_NICE",
                                                  "SYS_RESOURCE",
                                                  "SYS_TIME",
                                                  "SYS_TTY_CONFIG",
                                                  "MKNOD",
                                                  "LEASE",
                                                  "AUDIT_WRITE",
                                                  "AUDIT_CONTROL",
                                                  "SETFCAP",
                                                  "MAC_OVERRIDE",
                                                  "MAC_ADMIN",
                                                  "SYSLOG",
                                                  "WAKE_ALARM",
                                                  "BLOCK_SUSPEND",
                                                  "AUDIT_READ",
                                                  "PERFMON",
                                                  "BPF",
                                                  "CHECKPOINT_RESTORE"};
static_assert(kNames.size() == CAP_LAST_CAP + 1, "a newer linux/capability.h: add its names");

bool equalsIgnoringCase(std::string_view left, std::string_view right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(), [](char a, char b) {
    return std::toupper(static_cast<unsigned char>(a)) == std::toupper(static_cast<unsigned char>(b));
  });
}

constexpr CapabilitySet bit(unsigned number) {
  return CapabilitySet{1} << number;
}

std::uint32_t low(CapabilitySet set) {
  return static_cast<std::uint32_t>(set);
}

std::uint32_t high(CapabilitySet set) {
  return static_cast<std::uint32_t>(set >> 32U);
}

}  // namespace

std::optional<unsigned> capabilityNumber(std::string_view name) {
  if (name.size() <= 4 || !equalsIgnoringCase(name.substr(0, 4), "CAP_")) return std::nullopt;
  for (unsigned number = 0; number < kNames.size(); ++number) {
    if (equalsIgnoringCase(name.substr(4), kNames[number])) return number;
  }
  return std::nullopt;
}

std::string capabilityName(unsigned number) {
  if (number >= kNames.size()) return fmt::format("CAP_{}", number);
  return fmt::format("CAP_{}", kNames[number]);
}

std::vector<std::string> capabilityNames(CapabilitySet set) {
  std::vector<std::string> names;
  for (unsigned number = 0; number < 64; ++number) {
    if ((set & bit(number)) != 0) names.push_back(capabilityName(number));
  }
  return names;
}

CapabilitySet namedCapabilities() {
  return bit(kNames.size()) - 1;
}

Result<CapabilitySets> capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  if (::syscall(SYS_capget, &header, data) != 0) return Error::fromErrno(errno, "read capabilities");
  const auto join = [](std::uint32_t lower, std::uint32_t upper) {
    return CapabilitySet{lower} | CapabilitySet{upper} << 32U;
  };
  return CapabilitySets{join(data[0].effective, data[1].effective), join(data[0].permitted, data[1].permitted),
                        join(data[0].inheritable, data[1].inheritable)};
}

Result<void> setCapabilities(const CapabilitySets& sets) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct data[2]{{low(sets.effective), low(sets.permitted), low(sets.inheritable)},
                                       {high(sets.effective), high(sets.permitted), high(sets.inheritable)}};
  if (::syscall(SYS_capset, &header, data) != 0) return Error::fromErrno(errno, "set capabilities");
  return {};
}

CapabilitySet boundingCapabilities() {
  CapabilitySet set = 0;
  for (unsigned number = 0; number < 64; ++number) {
    const int held = ::prctl(PR_CAPBSET_READ, number, 0, 0, 0);
    if (held < 0) break;
    if (held == 1) set |= bit(number);
  }
  return set;
}

CapabilitySet knownCapabilities() {
  unsigned count = 0;
  while (count < 64 && ::prctl(PR_CAPBSET_READ, count, 0, 0, 0) >= 0) ++count;
  return count == 64 ? ~CapabilitySet{0} : bit(count) - 1;
}

Result<void> limitBoundingCapabilities(CapabilitySet keep) {
  for (unsigned number = 0; number < 64; ++number) {
    if ((keep & bit(number)) != 0) continue;
    const int held = ::prctl(PR_CAPBSET_READ, number, 0, 0, 0);
    if (held < 0) return {};  // EINVAL: past the last one the kernel knows
    if (held == 1 && ::prctl(PR_CAPBSET_DROP, number, 0, 0, 0) != 0) {
      return Error::fromErrno(errno, fmt::format("drop {} from the bounding set", capabilityName(number)));
    }
  }
  return {};
}

Result<void> setAmbientCapabilities(CapabilitySet set) {
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) {
    return Error::fromErrno(errno, "clear the ambient capabilities");
  }
  for (unsigned number = 0; number < 64; ++number) {
    if ((set & bit(number)) == 0) continue;
    if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0) != 0) {
      return Error::fromErrno(errno, fmt::format("raise {} in the ambient set", capabilityName(number)));
    }
  }
  return {};
}

}  // namespace gantry::kernel
