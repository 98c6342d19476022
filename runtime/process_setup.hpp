// What `create` and `exec` do alike to a process that is about to become the user's program: limits, credentials,
// working directory, environment, and finding the program.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "kernel/capability.hpp"
#include "kernel/fd.hpp"
#include "oci/spec.hpp"
#include "runtime/seccomp.hpp"

namespace gantry::runtime {

// process.capabilities as sets, cut to what the runtime itself may give.
struct GrantedCapabilities {
  kernel::CapabilitySet bounding = 0;
  kernel::CapabilitySet effective = 0;
  kernel::CapabilitySet permitted = 0;
  kernel::CapabilitySet inheritable = 0;
  kernel::CapabilitySet ambient = 0;
  // Asked for, but not held here or not known to this kernel.
  std::vector<std::string> missing;
};

// `available` is what may be given: the runtime's bounding set, or every capability in a new user namespace.
GrantedCapabilities grantCapabilities(const std::optional<oci::Capabilities>& wanted, kernel::CapabilitySet available);

// rlimits, scheduler, I/O priority and personality. Errors name the member.
Result<void> setLimits(const oci::Process& process);

// What the AppArmor or SELinux of this kernel shall do at exec; `proc` is the host's /proc.
Result<void> setSecurityLabels(const kernel::Fd& proc, const oci::Process& process);

// False where the user namespace of process `pid` (or "self") forbids setgroups, and those made in it with it: the maps
// were written by an unprivileged process (user_namespaces(7)). `proc` is the host's /proc.
bool mayDropGroups(const kernel::Fd& proc, const std::string& pid);

// Bounding set, ids, umask, and the capabilities that the process will have. `mayDropGroups` is false where a user
// namespace forbids setgroups. `keepAdmin`: CAP_SYS_ADMIN stays until dropAdmin(), for loading a seccomp filter without
// no_new_privs.
Result<void> becomeProcessUser(const oci::Process& process, const GrantedCapabilities& capabilities, bool mayDropGroups,
                               bool keepAdmin);
// Ends keepAdmin: after this the process has no more rights than the user's program.
Result<void> dropAdmin(const GrantedCapabilities& capabilities);

// chdir, and the proof that the directory lies inside the root: getcwd must find it (CVE-2024-21626).
Result<void> enterWorkingDirectory(const std::string& cwd);

// process.env with HOME (from the container's /etc/passwd, as runc) when it has none.
std::vector<std::string> completeEnvironment(const oci::Process& process);

// The path of the program: args[0] when it has a slash, else what PATH of `environment` finds. The texts are those that
// Docker derives exit codes 127 and 126 from: `exec: "foo": executable file not found in $PATH`.
Result<std::string> findExecutable(const std::string& name, const std::vector<std::string>& environment);

// execve; returns only the error, in the same form.
Error execute(const std::string& path, const std::vector<std::string>& arguments,
              const std::vector<std::string>& environment);

}  // namespace gantry::runtime
