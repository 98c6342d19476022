// The two forms a wire message comes in.
#pragma once

#include <string_view>

namespace gantry::agent::wire {

enum class Media { Json, Protobuf };

// "application/json", "application/x-protobuf".
std::string_view contentType(Media media);

}  // namespace gantry::agent::wire
