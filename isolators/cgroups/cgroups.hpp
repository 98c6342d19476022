// Cpus, memory, processes and devices of a container, by cgroups.
#pragma once

#include <string>
#include <vector>

#include "isolators/cgroups/limits.hpp"
#include "isolators/isolator.hpp"

namespace gantry::isolators {

// Says in the bundle what the container's groups shall hold; the OCI runtime makes them, at the container's cgroup path
// in every hierarchy, and removes them with the container. Reads usage from them, notices out-of-memory, and removes
// what a runtime that was killed left behind. The same on cgroup v1, hybrid and v2 hosts.
//
// Names no leftovers(): a group says nothing about who made it, and the root may be shared with somebody else, or be
// somebody else's by a slip (--cgroups_root=system.slice). Our groups are found by the ledger and by the containers'
// directories.
class CgroupsIsolator final : public Isolator {
 public:
  CgroupsIsolator(CgroupHost host, CgroupSettings settings) : host_(std::move(host)), settings_(std::move(settings)) {}

  std::string_view name() const override { return "cgroups"; }
  bool needsImage() const override { return false; }
  // As checkLimits; AlreadyExists when there is a group at the container's place, which then is not ours.
  Result<void> check(const ContainerRequest& request) const override;
  std::vector<KernelObject> plan(const Container& container) const override;
  async::Task<Result<Contribution>> prepare(ContainerPtr container) override;
  async::Task<Limitation> watch(ContainerPtr container) override;
  Result<void> usage(const Container& container, Usage& into) override;
  std::vector<pid_t> processes(const Container& container) const override;
  // Kills what is left in the groups, and waits a while for it to be gone; Busy after that.
  async::Task<Result<void>> cleanup(ContainerPtr container) override;

 private:
  const CgroupHost host_;
  const CgroupSettings settings_;
};

// For an agent that stops: removes the group that the containers' are in, from each hierarchy where it has none left.
void removeRootGroup(const CgroupHost& host, const std::string& root);

}  // namespace gantry::isolators
