// Reading a ContainerInfo, and writing what became of its networks, for the .cpp files of this directory.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "isolators/isolator.hpp"
#include "isolators/request.hpp"

namespace mesos::v1 {
class ContainerInfo;
class NetworkInfo;
}  // namespace mesos::v1

namespace gantry::agent::wire {

// Everything a container of type MESOS may say; other types are Unsupported. `field` is where the ContainerInfo stands
// in the call.
Result<void> readMesosContainer(const mesos::v1::ContainerInfo& container, const std::string& field,
                                isolators::ContainerRequest& into);

// What containers of both types have: volumes, host name, linux_info, rlimit_info, tty_info; no networks.
Result<void> readCommonContainer(const mesos::v1::ContainerInfo& container, const std::string& field,
                                 isolators::ContainerRequest& into);

Result<std::vector<isolators::Volume>> volumesFrom(const mesos::v1::ContainerInfo& container, const std::string& field);
Result<std::vector<isolators::NetworkAttachment>> networksFrom(const mesos::v1::ContainerInfo& container,
                                                               const std::string& field);

void writeNetwork(const isolators::NetworkStatus& network, mesos::v1::NetworkInfo& message);

}  // namespace gantry::agent::wire
