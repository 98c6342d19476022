// A container as our own paths show it.
#pragma once

#include <optional>
#include <string>

#include "agent/containers/manager.hpp"

namespace gantry::agent::api {

struct ContainerView {
  ContainerStatus status;
  // Measured now; unset when it cannot be or was not asked for.
  std::optional<isolators::Usage> usage;
};

// {"id","image","image_digest","command","phase","created","started","finished","pid","networks","exit","labels"} and,
// when measured, "statistics" (mesos.v1.ResourceStatistics). Times are RFC 3339; what is not known is left out.
std::string summaryJson(const ContainerView& view);
// The same and "request", "container_status" (mesos.v1.ContainerStatus), "layers" and the paths on this host:
// "sandbox", "bundle", "cgroup".
std::string inspectJson(const ContainerView& view);

}  // namespace gantry::agent::api
