// Mesos' Resource messages and values that add up, for the .cpp files of this directory.
#pragma once

#include "agent/resources/resources.hpp"
#include "base/result.hpp"

namespace mesos::v1 {
class Resource;
}

namespace gantry::agent::wire {

// InvalidArgument ("scalar: is required") when the value does not fit the type. Reservations count the same in either
// spelling; the role that the resource is allocated to does not count.
Result<resources::Resource> valueOf(const mesos::v1::Resource& message);
// With the stack of reservations.
mesos::v1::Resource messageOf(const resources::Resource& resource);

void writeValue(const resources::Value& value, mesos::v1::Resource& message);

}  // namespace gantry::agent::wire
