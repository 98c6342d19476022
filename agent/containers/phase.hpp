// Which phase of a container may follow which.
#pragma once

#include <string_view>

#include "agent/containers/manager.hpp"
#include "base/result.hpp"

namespace gantry::agent {

bool mayFollow(Phase from, Phase to);
// The inverse of toString; InvalidArgument for anything else.
Result<Phase> parsePhase(std::string_view text);

}  // namespace gantry::agent
