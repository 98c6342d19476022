// What becomes of the names in mesos-agent's --isolation (reference: containerizer, 4 and 5).
#include <algorithm>
#include <array>
#include <vector>

#include <fmt/format.h>

#include "agent/config/mesos_flags.hpp"

namespace gantry::agent {
namespace {

struct Isolator {
  std::string_view name;
  Verdict::Kind kind = Verdict::Kind::Met;
  std::string_view reason;
};

constexpr std::string_view kStronger = "every container has cgroups and namespaces of its own";
constexpr std::string_view kRefusesTasks = "a task that asks for it is refused by name";
constexpr std::string_view kMeasures = "it only measures, and this agent does not";

using enum Verdict::Kind;
constexpr std::array kIsolators = std::to_array<Isolator>({
    {"cgroups", Met, ""},
    {"cgroups/all", Met, ""},
    {"cgroups/cpu", Met, ""},
    {"cgroups/cpuset", Met, ""},
    {"cgroups/devices", Met, ""},
    {"cgroups/hugetlb", Met, ""},
    {"cgroups/mem", Met, ""},
    {"cgroups/net_prio", Met, ""},
    {"cgroups/pids", Met, ""},
    {"disk/du", Met, ""},
    {"docker/runtime", Met, ""},
    {"filesystem/linux", Met, ""},
    {"linux/capabilities", Met, ""},
    {"linux/nnp", Met, ""},
    {"linux/seccomp", Met, ""},
    {"namespaces/ipc", Met, ""},
    {"namespaces/pid", Met, ""},
    {"network/cni", Met, ""},
    {"posix/disk", Met, ""},
    {"posix/rlimits", Met, ""},
    {"volume/host_path", Met, ""},
    {"volume/sandbox_path", Met, ""},

    {"filesystem/posix", Ignored, kStronger},
    {"posix/cpu", Ignored, kStronger},
    {"posix/mem", Ignored, kStronger},
    {"process", Ignored, kStronger},
    {"cgroups/blkio", Ignored, kMeasures},
    {"cgroups/perf_event", Ignored, kMeasures},
    {"cgroups/net_cls", Ignored, "without handles it gives out no class ids"},
    {"linux/devices", Ignored, "without --allowed_devices it makes no devices"},
    {"network/ports", Ignored, "without --enforce_container_ports nothing comes of it"},
    {"appc/runtime", Ignored, kRefusesTasks},
    {"docker/volume", Ignored, kRefusesTasks},
    {"environment_secret", Ignored, kRefusesTasks},
    {"filesystem/shared", Ignored, kRefusesTasks},
    {"volume/csi", Ignored, kRefusesTasks},
    {"volume/image", Ignored, kRefusesTasks},
    {"volume/secret", Ignored, kRefusesTasks},

    {"disk/xfs", Refused, "disk quotas are not enforced by this version"},
    {"gpu/nvidia", Refused, "GPUs are not handed out by this version"},
    {"network/port_mapping", Refused, "containers share the host's address, or have one of their own from network/cni"},
});

Isolator find(std::string_view name) {
  const auto* const found = std::ranges::find(kIsolators, name, &Isolator::name);
  if (found != kIsolators.end()) return *found;
  return {name, Refused, "there is no isolator of that name, and mesos-agent's modules cannot be loaded"};
}

}  // namespace

Verdict judgeIsolation(std::string_view list) {
  std::vector<std::string> names;
  ignore(parseValue(list, names), "a list is never refused");
  Verdict verdict;
  for (const std::string& name : names) {
    const Isolator isolator = find(name);
    // The worst is what counts; of that all are told.
    if (isolator.kind < verdict.kind || isolator.kind == Met) continue;
    if (isolator.kind > verdict.kind) verdict = {isolator.kind, ""};
    verdict.reason += fmt::format("{}'{}': {}", verdict.reason.empty() ? "" : "; ", name, isolator.reason);
  }
  return verdict;
}

}  // namespace gantry::agent
