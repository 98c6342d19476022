// Ids that become names of directories, for the .cpp files of this directory.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace gantry::agent::wire {

// Mesos' rule for the ids of tasks, executors, frameworks and agents (reference: master-agent, 5.1): not empty, at most
// 255 characters, not "." or "..", no '/', no control characters.
Result<void> checkId(std::string_view id, std::string_view field);

}  // namespace gantry::agent::wire
