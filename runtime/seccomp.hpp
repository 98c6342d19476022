// linux.seccomp as a BPF program, and loading it.
//
// Compiling a profile with libseccomp takes more than ten milliseconds, so programs are kept in a cache directory. An
// entry is found by a digest of everything the program depends on (the section, libseccomp's version, this program's
// architecture) and holds all of that in full beside the program, so that two sections with one digest, a damaged or a
// planted entry cannot be mistaken: such an entry is compiled again and replaced. libseccomp is only called for a miss.
#pragma once

#include <linux/filter.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "kernel/fd.hpp"
#include "oci/spec.hpp"

namespace gantry::runtime {

// Ready to load.
struct SeccompFilter {
  std::vector<sock_filter> program;
  // SECCOMP_FILTER_FLAG_*, for seccomp(2).
  unsigned flags = 0;

  // Some action is SCMP_ACT_NOTIFY: loading gives a descriptor that belongs to the listener at listenerPath.
  bool wantsListener() const;
};

// Compiles the section, or takes the program from `cacheDirectory` (made with mode 0700 when missing; empty: no cache;
// trouble with the cache is never an error).
//
// InvalidArgument names the member: an unknown action, operator, architecture or flag; SCMP_ACT_NOTIFY without
// listenerPath, as default action, or for write and sendmsg (the process could not even hand over the listener).
// Unsupported: an action that this kernel does not have. System calls that libseccomp does not know are left out. Where
// the default is an error, system calls newer than all that the section names give ENOSYS instead, so that the C
// library falls back to older ones.
Result<SeccompFilter> compileSeccomp(const oci::Seccomp& section, const std::string& cacheDirectory);

// In the child, last before exec: one seccomp(2). Needs no_new_privs or CAP_SYS_ADMIN. Gives the listener's descriptor
// when the filter wants one, else an empty one. Allocates only for an error.
Result<kernel::Fd> loadSeccomp(const SeccompFilter& filter);

// Hands `listener` and `stateJson` (runtime-spec, config-linux.md, "The Container Process State") to whom listens on
// the Unix socket at `listenerPath`.
Result<void> sendSeccompListener(const std::string& listenerPath, const kernel::Fd& listener,
                                 std::string_view stateJson);

// The names that linux.seccomp may use, for `features`.
std::vector<std::string> seccompActions();
std::vector<std::string> seccompOperators();
std::vector<std::string> seccompArchitectures();
std::vector<std::string> seccompFlags();

}  // namespace gantry::runtime
