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
class CgroupsIsolator final : public Isolator {
 public:
  CgroupsIsolator(CgroupHost host, CgroupSettings settings) : host_(std::move(host)), settings_(std::move(settings)) {}

  std::string_view name() const override { return "cgroups"; }
  bool needsImage() const override { return false; }
  Result<void> check(const ContainerRequest& request) const override;
  std::vector<KernelObject> plan(const Container& container) const override;
  async::Task<Result<Contribution>> prepare(ContainerPtr container) override;
  async::Task<Limitation> watch(ContainerPtr container) override;
  Result<void> usage(const Container& container, Usage& into) override;
  // Kills what is left in the groups, and waits a while for it to be gone; Busy after that.
  async::Task<Result<void>> cleanup(ContainerPtr container) override;
  std::vector<std::string> leftovers() const override;

 private:
  const CgroupHost host_;
  const CgroupSettings settings_;
};

// For an agent that stops: removes the group that the containers' are in, from each hierarchy where it has none left.
void removeRootGroup(const CgroupHost& host, const std::string& root);

}  // namespace gantry::isolators
