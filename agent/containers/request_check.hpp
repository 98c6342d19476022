// What is refused before anything is touched, whichever isolators there are.
#pragma once

#include "agent/containers/manager.hpp"
#include "base/result.hpp"

namespace gantry::agent {

// InvalidArgument or Unsupported, naming the field. Isolators check their own fields.
Result<void> checkRequest(const isolators::ContainerRequest& request);
Result<void> checkSession(const SessionRequest& request);

}  // namespace gantry::agent
