// Containers of type DOCKER, which run as all others do here: their image, network, ports and options of `docker run`
// become a plain request. For task_info.cpp.
#pragma once

#include <string>

#include "agent/wire/master_messages.hpp"
#include "base/result.hpp"
#include "isolators/request.hpp"

namespace mesos::v1 {
class TaskInfo;
}

namespace gantry::agent::wire {

// Fills in everything but `resources`, which must be there. As in Mesos:
//
// - HOST, which is the default, is the host's network; NONE one with loopback only; BRIDGE is `defaults.bridgeNetwork`;
//   USER the one that network_infos[0] names. Ports can be mapped on the last two, to host ports that the task has.
// - A shell command replaces the image's entrypoint; otherwise value and arguments follow it, in place of the image's
//   command.
// - The program runs as the image's user unless a parameter names one: the task's own owns the sandbox at most.
//
// Errors begin with "task.container" or "task.command".
Result<void> readDockerTask(const mesos::v1::TaskInfo& task, const TaskDefaults& defaults,
                            isolators::ContainerRequest& into);

}  // namespace gantry::agent::wire
