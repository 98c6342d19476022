// A cgroup with all that is below it, by directory: its processes, ending them, removing it.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace gantry::kernel {

// Calls `visit` for every group below `directory`, deepest first, then for itself. A group that vanishes is skipped.
Result<void> eachCgroup(const std::string& directory, const std::function<Result<void>(const std::string&)>& visit);
// The ids in cgroup.procs of the group and of those below it, sorted. A group that is gone has none.
Result<std::vector<pid_t>> cgroupProcesses(const std::string& directory);
// Sends a signal to each; those that have ended meanwhile are fine.
Result<void> signalProcesses(const std::vector<pid_t>& pids, int number);
// cgroup.kill of cgroup v2 (Linux 5.14): SIGKILL for all processes, also those being forked. False where the group is
// gone or the kernel has no such file.
Result<bool> killCgroup(const std::string& directory);
// Removes the group and those below it; true when it is gone, false while one still has processes.
Result<bool> removeCgroup(const std::string& directory);

// An error that says that the group is gone: kernfs gives ENODEV for files of such a one.
bool isGoneCgroup(const Error& error);

}  // namespace gantry::kernel
