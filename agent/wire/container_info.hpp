// Volumes and networks of a ContainerInfo, for launch.cpp.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "isolators/request.hpp"

namespace mesos::v1 {
class ContainerInfo;
}

namespace gantry::agent::wire {

// `field` is where the ContainerInfo stands in the call.
Result<std::vector<isolators::Volume>> volumesFrom(const mesos::v1::ContainerInfo& container, const std::string& field);
Result<std::vector<isolators::NetworkAttachment>> networksFrom(const mesos::v1::ContainerInfo& container,
                                                               const std::string& field);

}  // namespace gantry::agent::wire
