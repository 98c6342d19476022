// Mounts of type "cgroup": what the container sees of its own groups.
//
// On v2 one cgroup2 file system. On v1 and on hybrid hosts a read-only tmpfs with one directory per hierarchy, named as
// on the host and showing the container's own group, and symlinks for the controllers that share one ("cpu" ->
// "cpu,cpuacct").
#pragma once

#include <vector>

#include "base/result.hpp"
#include "runtime/mounts.hpp"

namespace gantry::runtime {

// In the runtime, once the groups exist.
Result<std::vector<CgroupTree>> prepareCgroupTrees(const std::vector<CgroupGroup>& groups);

// In the container's first process.
Result<void> attachCgroups(const RootDirectory& root, PreparedMount& prepared, bool newCgroupNamespace);

}  // namespace gantry::runtime
