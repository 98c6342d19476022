// Random identifiers of status updates.
#pragma once

#include <string>

namespace gantry::agent::tasks {

// The 16 bytes of a random UUID (RFC 4122, version 4).
std::string newUuid();

}  // namespace gantry::agent::tasks
