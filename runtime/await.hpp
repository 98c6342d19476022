// Waiting for a process of a container. `pause` may freeze it at any moment, and a frozen process neither answers nor
// dies: cgroup v1 lets even SIGKILL wait until it is thawed. So whoever holds a container's lock, or owes its caller an
// answer, waits for such a process by way of these.
#pragma once

#include <chrono>

#include "base/result.hpp"
#include "kernel/fd.hpp"
#include "kernel/process.hpp"
#include "runtime/cgroup.hpp"
#include "runtime/steps.hpp"

namespace gantry::runtime {

// The next message of a process in `cgroup`, as receive() of steps.hpp. Busy once the cgroup is frozen.
Result<Message> receiveFrom(const Cgroup& cgroup, const kernel::Fd& socket);

// Waits for a child that is about to end, and reaps it. One that does not end in time (it may be frozen) is left to
// whoever inherits our children, and ends when it can.
void reap(kernel::Process& child, std::chrono::milliseconds patience = std::chrono::seconds(1));

}  // namespace gantry::runtime
