// What a container's cgroups say it uses.
#pragma once

#include <string>

#include "base/result.hpp"
#include "isolators/isolator.hpp"
#include "kernel/cgroup.hpp"

namespace gantry::isolators {

// Fills the cpus_*, mem_*, processes and threads members that the kernel counts (reference: containerizer, 15), from
// the groups at `path` in v1 and v2 hierarchies. A controller or file that this host does not have leaves its members
// unset. NotFound when the container has no group. Processes are those of the group itself, without groups that the
// container made below.
Result<void> readUsage(const kernel::CgroupLayout& layout, const std::string& path, Usage& into);

}  // namespace gantry::isolators
