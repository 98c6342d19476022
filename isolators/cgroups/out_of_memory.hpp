// Noticing that the kernel killed a container's process for want of memory.
#pragma once

#include <string>

#include "async/task.hpp"
#include "isolators/isolator.hpp"
#include "kernel/cgroup.hpp"

namespace gantry::isolators {

// Completes when a process of the group at `path` was killed because of the group's own memory limit, also when that
// was before the call. Never completes without a memory controller or after the group is gone; comes back with an empty
// Limitation when cancelled. `requested`: for the sentence.
//
// v1: an eventfd on memory.oom_control; v2: inotify on memory.events (cgroup v2, "Memory Interface Files").
async::Task<Limitation> watchOutOfMemory(kernel::CgroupHierarchy memory, std::string path,
                                         std::optional<Bytes> requested);

}  // namespace gantry::isolators
