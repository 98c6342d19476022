// New processes and their namespaces: clone3, setns, unshare.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "kernel/fd.hpp"
#include "kernel/process.hpp"

namespace gantry::kernel {

// The CLONE_NEW* flag of a namespace as runtime-spec names it ("pid", "network", …); 0 for another word.
std::uint64_t namespaceFlag(std::string_view type);
// Its name in /proc/<pid>/ns: "net" for "network", "mnt" for "mount".
std::string namespaceFile(std::string_view type);

// clone3 (Linux 5.3) as fork does it: returns twice, with an empty Process in the child. `flags` takes CLONE_NEW* and
// CLONE_PARENT; `intoCgroup` (Linux 5.7), unless empty, is the cgroup v2 directory the child is born in. Only for
// single-threaded programs, where the child may go on as any process.
Result<Process> cloneProcess(std::uint64_t flags, const Fd& intoCgroup);

// setns: `descriptor` is a /proc/<pid>/ns file with one CLONE_NEW* flag (or 0), or a pidfd with several (Linux 5.8).
Result<void> joinNamespaces(const Fd& descriptor, std::uint64_t flags);
Result<void> unshare(std::uint64_t flags);

}  // namespace gantry::kernel
