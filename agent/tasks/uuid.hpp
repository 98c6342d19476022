// Random identifiers, of status updates and containers.
#pragma once

#include <string>
#include <string_view>

namespace gantry::agent::tasks {

// The 16 bytes of a random UUID (RFC 4122, version 4).
std::string newUuid();
// "0de07e83-6d64-407d-b310-5c2497fe5650" of such 16 bytes.
std::string uuidText(std::string_view bytes);

}  // namespace gantry::agent::tasks
