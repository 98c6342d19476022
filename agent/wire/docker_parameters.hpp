// The `parameters` of a DockerInfo: options of `docker run`, as "--key=value". What a container here can be asked for
// is taken over; every other option is refused by its name. For docker_container.cpp.
#pragma once

#include <google/protobuf/repeated_ptr_field.h>

#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "isolators/request.hpp"

namespace mesos::v1 {
class Parameter;
}

namespace gantry::agent::wire {

// Options that more than one field of the request depends on.
struct DockerOptions {
  // In place of the image's; empty: the image's is dropped.
  std::optional<std::string> entrypoint;
  // As --net names it.
  std::optional<std::string> network;
  std::vector<isolators::PortMapping> published;
  std::vector<std::string> addedCapabilities;
  std::vector<std::string> droppedCapabilities;
};

using DockerParameters = google::protobuf::RepeatedPtrField<mesos::v1::Parameter>;

// In order, so that a later option wins over an earlier one as on a command line. Errors begin with
// "<field>.parameters[<index>]" and name the option.
Result<DockerOptions> readDockerParameters(const DockerParameters& parameters, const std::string& field,
                                           isolators::ContainerRequest& into);

}  // namespace gantry::agent::wire
