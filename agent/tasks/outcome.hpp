// How a container's end is told as a task's: pure functions.
#pragma once

#include <optional>
#include <string>

#include "agent/containers/manager.hpp"
#include "agent/tasks/task_json.hpp"
#include "base/error.hpp"

namespace gantry::agent::tasks {

// "Command exited with status 3", "Command terminated with signal Terminated": as mesos-executor words it.
std::string describeEnd(int waitStatus);

// State, source, reason, message and limitation of a task whose container ended so. A limit that was exceeded, or a
// monitor that was lost, is the agent's finding; everything else is told as its executor would.
TaskStatus endStatus(const Termination& termination, Ending ending, const isolators::Resources& resources);

// The same for a launch that failed, or was given up because the task was killed.
TaskStatus launchFailure(const gantry::Error& error, Ending ending);

// What a framework may be told in place of `state`: TASK_LOST where it is not partition aware and the state is for
// such.
TaskState stateFor(const Framework& framework, TaskState state);

}  // namespace gantry::agent::tasks
