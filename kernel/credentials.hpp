// What a process is allowed and how it is scheduled, set by itself before it becomes another program.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace gantry::kernel {

// setgroups, setresgid and setresuid, in this order. The permitted capabilities survive (PR_SET_KEEPCAPS); the
// effective ones do not.
Result<void> becomeUser(uid_t uid, gid_t gid, const std::vector<gid_t>& groups);
// setgroups is impossible in a user namespace whose maps an unprivileged process wrote.
Result<void> becomeUserKeepingGroups(uid_t uid, gid_t gid);

// The RLIMIT_* number of "RLIMIT_NOFILE"; nothing for an unknown name.
std::optional<int> rlimitNumber(std::string_view name);
// prlimit on the calling process.
Result<void> setRlimit(const std::string& name, std::uint64_t soft, std::uint64_t hard);

// prctl(PR_SET_NO_NEW_PRIVS).
Result<void> setNoNewPrivileges();
// prctl(PR_SET_DUMPABLE, 0): without CAP_SYS_PTRACE nobody may look into /proc/<us> until the next exec.
Result<void> setUndumpable();
// prctl(PR_SET_PDEATHSIG).
Result<void> setParentDeathSignal(int number);
// prctl(PR_SET_CHILD_SUBREAPER).
Result<void> becomeSubreaper();
// keyctl(KEYCTL_JOIN_SESSION_KEYRING): an empty one of our own.
Result<void> joinNewSessionKeyring(const std::string& name);
// Every signal at its default, none blocked: what a program expects to find.
void resetSignals();
// close_range(first, …, CLOSE_RANGE_CLOEXEC), Linux 5.11.
Result<void> closeOnExecFrom(int first);
Result<void> setHostname(const std::string& name);
Result<void> setDomainname(const std::string& name);

// What sched_setattr takes. `policy` is "SCHED_OTHER"…, `flags` "SCHED_FLAG_RECLAIM"….
struct Scheduling {
  std::string policy;
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::vector<std::string> flags;
  std::uint64_t runtime = 0;
  std::uint64_t deadline = 0;
  std::uint64_t period = 0;
};
Result<void> setScheduling(const Scheduling& scheduling);
// `ioClass` is "IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE" or "IOPRIO_CLASS_IDLE".
Result<void> setIoPriority(const std::string& ioClass, int priority);
// `domain` is "LINUX" or "LINUX32".
Result<void> setPersonality(const std::string& domain);
// Processors as "0-2,4"; sched_setaffinity.
Result<void> setCpuAffinity(const std::string& cpus);

}  // namespace gantry::kernel
