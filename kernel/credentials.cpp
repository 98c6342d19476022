#include "kernel/credentials.hpp"

#include <grp.h>
#include <linux/close_range.h>
#include <linux/ioprio.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>

#include <array>
#include <charconv>
#include <utility>

#include <fmt/format.h>

namespace gantry::kernel {
namespace {

template <typename Value, std::size_t Size>
using Names = std::array<std::pair<std::string_view, Value>, Size>;

template <typename Value, std::size_t Size>
std::optional<Value> lookUp(const Names<Value, Size>& names, std::string_view name) {
  for (const auto& [known, value] : names) {
    if (known == name) return value;
  }
  return std::nullopt;
}

constexpr Names<int, 16> kRlimits{{
    {"RLIMIT_AS", RLIMIT_AS},
    {"RLIMIT_CORE", RLIMIT_CORE},
    {"RLIMIT_CPU", RLIMIT_CPU},
    {"RLIMIT_DATA", RLIMIT_DATA},
    {"RLIMIT_FSIZE", RLIMIT_FSIZE},
    {"RLIMIT_LOCKS", RLIMIT_LOCKS},
    {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
    {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
    {"RLIMIT_NICE", RLIMIT_NICE},
    {"RLIMIT_NOFILE", RLIMIT_NOFILE},
    {"RLIMIT_NPROC", RLIMIT_NPROC},
    {"RLIMIT_RSS", RLIMIT_RSS},
    {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
    {"RLIMIT_RTTIME", RLIMIT_RTTIME},
    {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
    {"RLIMIT_STACK", RLIMIT_STACK},
}};

constexpr Names<std::uint32_t, 7> kPolicies{{
    {"SCHED_OTHER", 0},
    {"SCHED_FIFO", 1},
    {"SCHED_RR", 2},
    {"SCHED_BATCH", 3},
    {"SCHED_ISO", 4},
    {"SCHED_IDLE", 5},
    {"SCHED_DEADLINE", 6},
}};

constexpr Names<std::uint64_t, 7> kSchedulingFlags{{
    {"SCHED_FLAG_RESET_ON_FORK", 0x01},
    {"SCHED_FLAG_RECLAIM", 0x02},
    {"SCHED_FLAG_DL_OVERRUN", 0x04},
    {"SCHED_FLAG_KEEP_POLICY", 0x08},
    {"SCHED_FLAG_KEEP_PARAMS", 0x10},
    {"SCHED_FLAG_UTIL_CLAMP_MIN", 0x20},
    {"SCHED_FLAG_UTIL_CLAMP_MAX", 0x40},
}};

constexpr Names<int, 3> kIoClasses{{
    {"IOPRIO_CLASS_RT", IOPRIO_CLASS_RT},
    {"IOPRIO_CLASS_BE", IOPRIO_CLASS_BE},
    {"IOPRIO_CLASS_IDLE", IOPRIO_CLASS_IDLE},
}};

// sched_setattr(2); glibc 2.36 has neither the structure nor the call.
struct SchedAttr {
  std::uint32_t size = sizeof(SchedAttr);
  std::uint32_t policy = 0;
  std::uint64_t flags = 0;
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t runtime = 0;
  std::uint64_t deadline = 0;
  std::uint64_t period = 0;
};

Result<void> setIds(uid_t uid, gid_t gid) {
  // setresuid(2) leaves an id alone that is -1; whoever asks for a user wants to be it.
  if (uid == static_cast<uid_t>(-1) || gid == static_cast<gid_t>(-1)) {
    return Error(Code::InvalidArgument, "set user and group id: 4294967295 is no id");
  }
  if (::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return Error::fromErrno(errno, "keep capabilities");
  if (::setresgid(gid, gid, gid) != 0) return Error::fromErrno(errno, fmt::format("set group id {}", gid));
  if (::setresuid(uid, uid, uid) != 0) return Error::fromErrno(errno, fmt::format("set user id {}", uid));
  if (::prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) != 0) return Error::fromErrno(errno, "keep capabilities");
  return {};
}

Result<unsigned> parseCpu(std::string_view text, std::string_view whole) {
  unsigned number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code != std::errc() || end != text.data() + text.size() || number >= CPU_SETSIZE) {
    return Error(Code::InvalidArgument, fmt::format("'{}' is not a list of processors", whole));
  }
  return number;
}

}  // namespace

Result<void> becomeUser(uid_t uid, gid_t gid, const std::vector<gid_t>& groups) {
  if (::setgroups(groups.size(), groups.data()) != 0) return Error::fromErrno(errno, "set additional groups");
  return setIds(uid, gid);
}

Result<void> becomeUserKeepingGroups(uid_t uid, gid_t gid) {
  return setIds(uid, gid);
}

std::optional<int> rlimitNumber(std::string_view name) {
  return lookUp(kRlimits, name);
}

Result<void> setRlimit(const std::string& name, std::uint64_t soft, std::uint64_t hard) {
  const auto number = rlimitNumber(name);
  if (!number) return Error(Code::InvalidArgument, fmt::format("'{}' is not a resource limit", name));
  const rlimit limit{soft, hard};
  if (::prlimit(0, static_cast<__rlimit_resource>(*number), &limit, nullptr) != 0) {
    return Error::fromErrno(errno, fmt::format("set {} to {}:{}", name, soft, hard));
  }
  return {};
}

Result<void> setNoNewPrivileges() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return Error::fromErrno(errno, "set no_new_privs");
  return {};
}

Result<void> setUndumpable() {
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return Error::fromErrno(errno, "turn dumping off");
  return {};
}

Result<void> setParentDeathSignal(int number) {
  if (::prctl(PR_SET_PDEATHSIG, number, 0, 0, 0) != 0) return Error::fromErrno(errno, "set the parent death signal");
  return {};
}

Result<void> becomeSubreaper() {
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) return Error::fromErrno(errno, "become a subreaper");
  return {};
}

Result<void> joinNewSessionKeyring(const std::string& name) {
  if (::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name.c_str(), 0, 0, 0) < 0) {
    return Error::fromErrno(errno, "join a new session keyring");
  }
  return {};
}

void resetSignals() {
  for (int number = 1; number < NSIG; ++number) {
    struct sigaction now{};
    // Most are at their default already; asking and changing cost the same.
    if (::sigaction(number, nullptr, &now) == 0 && now.sa_handler != SIG_DFL) ::signal(number, SIG_DFL);
  }
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

Result<void> closeOnExecFrom(int first) {
  if (::syscall(SYS_close_range, static_cast<unsigned>(first), ~0U, CLOSE_RANGE_CLOEXEC) != 0) {
    return Error::fromErrno(errno, "set close-on-exec");
  }
  return {};
}

Result<void> setHostname(const std::string& name) {
  if (::sethostname(name.c_str(), name.size()) != 0) {
    return Error::fromErrno(errno, fmt::format("set the host name to '{}'", name));
  }
  return {};
}

Result<void> setDomainname(const std::string& name) {
  if (::setdomainname(name.c_str(), name.size()) != 0) {
    return Error::fromErrno(errno, fmt::format("set the domain name to '{}'", name));
  }
  return {};
}

Result<void> setScheduling(const Scheduling& scheduling) {
  SchedAttr attributes;
  const auto policy = lookUp(kPolicies, scheduling.policy);
  if (!policy) return Error(Code::InvalidArgument, fmt::format("'{}' is not a scheduling policy", scheduling.policy));
  attributes.policy = *policy;
  for (const std::string& name : scheduling.flags) {
    const auto flag = lookUp(kSchedulingFlags, name);
    if (!flag) return Error(Code::InvalidArgument, fmt::format("'{}' is not a scheduling flag", name));
    attributes.flags |= *flag;
  }
  attributes.nice = scheduling.nice;
  attributes.priority = scheduling.priority;
  attributes.runtime = scheduling.runtime;
  attributes.deadline = scheduling.deadline;
  attributes.period = scheduling.period;
  if (::syscall(SYS_sched_setattr, 0, &attributes, 0) != 0) {
    return Error::fromErrno(errno, fmt::format("set the scheduling policy {}", scheduling.policy));
  }
  return {};
}

Result<void> setIoPriority(const std::string& ioClass, int priority) {
  const auto number = lookUp(kIoClasses, ioClass);
  if (!number) return Error(Code::InvalidArgument, fmt::format("'{}' is not an I/O priority class", ioClass));
  const int value = *number << IOPRIO_CLASS_SHIFT | priority;
  if (::syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, value) != 0) {
    return Error::fromErrno(errno, fmt::format("set the I/O priority {} {}", ioClass, priority));
  }
  return {};
}

Result<void> setPersonality(const std::string& domain) {
  const bool narrow = domain == "LINUX32";
  if (!narrow && domain != "LINUX") {
    return Error(Code::InvalidArgument, fmt::format("'{}' is not a personality domain", domain));
  }
  if (::personality(narrow ? PER_LINUX32 : PER_LINUX) < 0) return Error::fromErrno(errno, "set the personality");
  return {};
}

Result<void> setCpuAffinity(const std::string& cpus) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (std::string_view rest = cpus; !rest.empty();) {
    const auto comma = rest.find(',');
    const std::string_view item = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    const auto dash = item.find('-');
    TRY(const unsigned first, parseCpu(item.substr(0, dash), cpus));
    unsigned last = first;
    if (dash != std::string_view::npos) {
      TRY(last, parseCpu(item.substr(dash + 1), cpus));
    }
    for (unsigned cpu = first; cpu <= last; ++cpu) CPU_SET(cpu, &set);
  }
  if (::sched_setaffinity(0, sizeof set, &set) != 0) {
    return Error::fromErrno(errno, fmt::format("set the processors to '{}'", cpus));
  }
  return {};
}

}  // namespace gantry::kernel
