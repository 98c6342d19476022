// Frameworks and tasks, from Mesos' messages to values and back. For the .cpp files of this directory, of agent/api and
// of agent/master: what a task is asked to be is read here, and how it stands is written.
#pragma once

#include <string>

#include "agent/tasks/manager.hpp"
#include "agent/tasks/task.hpp"
#include "agent/wire/agent_messages.hpp"
#include "agent/wire/master_messages.hpp"
#include "base/result.hpp"

namespace mesos::v1 {
class FrameworkInfo;
class Task;
class TaskInfo;
class TaskStatus;
}  // namespace mesos::v1

namespace gantry::agent::wire {

// A scheduler's UPID; "" for the "@0.0.0.0:0" that a master gives those that speak HTTP.
std::string schedulerPid(const std::string& pid);

// `pid` as a master spells it. InvalidArgument without a usable id.
Result<tasks::Framework> frameworkFrom(const mesos::v1::FrameworkInfo& message, const std::string& pid);

// InvalidArgument for a task that is wrong, Unsupported for a wish that cannot be met here; the message begins with
// "task." and the field.
Result<tasks::TaskRequest> taskRequestFrom(const mesos::v1::TaskInfo& message, const tasks::Framework& framework,
                                           const TaskDefaults& defaults);

void writeStatus(const tasks::TaskStatus& status, const std::string& task, const std::string& executor,
                 const AgentIdentity& agent, mesos::v1::TaskStatus& message);

// Resources with the stack of reservations.
void writeTask(const tasks::Task& task, const AgentIdentity& agent, mesos::v1::Task& message);

}  // namespace gantry::agent::wire
