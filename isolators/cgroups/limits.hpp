// What a container's resources are called in an OCI bundle, and what of them this host can enforce.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "isolators/request.hpp"
#include "kernel/cgroup.hpp"
#include "oci/spec.hpp"

namespace gantry::isolators {

// What the host's cgroups can do.
struct CgroupHost {
  kernel::CgroupLayout layout;
  // CONFIG_CFS_BANDWIDTH.
  bool hasCpuQuota = true;
  // Whether the kernel can limit swap per group. Without, a container uses what swap the host has.
  bool limitsSwap = true;
  Bytes memory;

  static Result<CgroupHost> detect();
  // Whether groups have the controller in a v2 hierarchy.
  bool isV2(std::string_view controller) const;
};

struct CgroupSettings {
  // Groups are at /<root>/<container id> in every hierarchy.
  std::string root = "gantry";
  // For a container that does not ask (DESIGN: there is always a limit).
  std::uint64_t defaultPids = 4096;
  // Caps cpus at the request where no limit is given (Mesos' --cgroups_enable_cfs).
  bool capCpus = false;
};

// Unsupported or InvalidArgument, naming the field: "resources[pids]: this host has no pids controller".
Result<void> checkLimits(const Resources& resources, const CgroupHost& host);

// The limits for a request that checkLimits let pass (reference: containerizer, 5.1 and 5.2). Pure.
//
// - cpus: shares of 1024, a weight of 100 per core; with a limit a quota of that many periods of 100 ms.
// - memory: the limit, else the request, is a hard limit without swap beyond it. Unlike mesos-agent's it is not raised
//   to 32 MB, so that the container gets what was said. On v2 the request is protected (memory.low) and an
//   out-of-memory ends the whole container at once (memory.oom.group), as the agent does itself on v1.
// - pids: the request, else the default.
// - devices: Docker's list; everything when privileged.
oci::Resources limitsFor(const ContainerRequest& request, const CgroupHost& host, const CgroupSettings& settings);

// oom_score_adj for a container that may use more memory than it is guaranteed: the smaller its request beside the
// host's memory, the sooner it is chosen when the host itself runs out. Nothing for others.
std::optional<int> oomScoreFor(const Resources& resources, Bytes hostMemory);

}  // namespace gantry::isolators
