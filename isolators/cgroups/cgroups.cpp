#include "isolators/cgroups/cgroups.hpp"

#include <fcntl.h>
#include <cmath>
#include <csignal>

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "async/time.hpp"
#include "isolators/cgroups/out_of_memory.hpp"
#include "isolators/cgroups/usage.hpp"
#include "kernel/cgroup_tree.hpp"
#include "kernel/file.hpp"

namespace gantry::isolators {
namespace {

using namespace std::chrono_literals;

// Killed processes take this long to be gone, at the very most.
constexpr std::chrono::milliseconds kPatience = 5s;

// Ends what is in the groups at `path`; what is frozen dies when it is thawed.
Result<void> killGroups(const kernel::CgroupLayout& layout, const std::string& path) {
  bool killed = false;
  if (const kernel::CgroupHierarchy* unified = layout.unified()) {
    TRY(killed, kernel::killCgroup(unified->mountPoint + path));
  }
  for (const kernel::CgroupHierarchy& hierarchy : layout.hierarchies) {
    const std::string directory = hierarchy.mountPoint + path;
    if (!kernel::exists(directory)) continue;
    // Processes can be in a v1 group alone.
    if (!hierarchy.isV2() || !killed) {
      TRY(const std::vector<pid_t> left, kernel::cgroupProcesses(directory));
      TRY_VOID(kernel::signalProcesses(left, SIGKILL));
    }
    if (!hierarchy.has("freezer")) continue;
    const auto thawed = kernel::writeExistingAt(kernel::workingDirectory(), directory + "/freezer.state", "THAWED");
    if (!thawed && !kernel::isGoneCgroup(thawed.error())) return thawed.error();
  }
  return {};
}

// True when all are gone.
Result<bool> removeGroups(const kernel::CgroupLayout& layout, const std::string& path) {
  bool all = true;
  for (const kernel::CgroupHierarchy& hierarchy : layout.hierarchies) {
    TRY(const bool removed, kernel::removeCgroup(hierarchy.mountPoint + path));
    all = all && removed;
  }
  return all;
}

}  // namespace

Result<void> CgroupsIsolator::check(const ContainerRequest& request) const {
  TRY_VOID(checkLimits(request.resources, host_));
  const std::string path = fmt::format("/{}/{}", settings_.root, request.id.text());
  for (const kernel::CgroupHierarchy& hierarchy : host_.layout.hierarchies) {
    if (!kernel::exists(hierarchy.mountPoint + path)) continue;
    return Error(Code::AlreadyExists,
                 fmt::format("container_id: cgroup '{}' exists and is of no container of this agent; another id, or "
                             "another --cgroups_root, keeps clear of it",
                             path));
  }
  return {};
}

std::vector<KernelObject> CgroupsIsolator::plan(const Container& container) const {
  return {{"cgroup", container.cgroupPath}};
}

async::Task<Result<Contribution>> CgroupsIsolator::prepare(ContainerPtr container) {
  Contribution contribution;
  contribution.resources = limitsFor(container->request, host_, settings_);
  contribution.oomScoreAdj = oomScoreFor(container->request.resources, host_.memory);
  co_return contribution;
}

async::Task<Limitation> CgroupsIsolator::watch(ContainerPtr container) {
  const kernel::CgroupHierarchy* const memory = host_.layout.find("memory");
  if (memory == nullptr) {
    co_await async::never();
    co_return Limitation();
  }
  co_return co_await watchOutOfMemory(*memory, container->cgroupPath, container->request.resources.memory);
}

Result<void> CgroupsIsolator::usage(const Container& container, Usage& into) {
  const Resources& resources = container.request.resources;
  into.cpusSoftLimit = resources.cpus;
  into.cpusLimit = resources.cpusLimit && std::isfinite(*resources.cpusLimit) ? resources.cpusLimit : resources.cpus;
  if (resources.memory) into.memSoftLimitBytes = resources.memory->count;
  return readUsage(host_.layout, container.cgroupPath, into);
}

// Every process is in one group of each hierarchy, and so any of them will do.
std::vector<pid_t> CgroupsIsolator::processes(const Container& container) const {
  for (const kernel::CgroupHierarchy& hierarchy : host_.layout.hierarchies) {
    auto pids = kernel::cgroupProcesses(hierarchy.mountPoint + container.cgroupPath);
    if (pids && !pids->empty()) return *std::move(pids);
  }
  return {};
}

async::Task<Result<void>> CgroupsIsolator::cleanup(ContainerPtr container) {
  const std::string& path = container->cgroupPath;
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  auto pause = std::chrono::milliseconds(1);
  while (true) {
    CO_TRY_VOID(killGroups(host_.layout, path));
    CO_TRY(const bool gone, removeGroups(host_.layout, path));
    if (gone) co_return Result<void>();
    if (std::chrono::steady_clock::now() >= deadline) {
      co_return Error(Code::Busy, fmt::format("remove cgroup '{}': its processes do not end", path));
    }
    CO_TRY_VOID(co_await async::sleep(pause));
    pause = std::min(pause * 2, std::chrono::milliseconds(100));
  }
}

void removeRootGroup(const CgroupHost& host, const std::string& root) {
  for (const kernel::CgroupHierarchy& hierarchy : host.layout.hierarchies) {
    const std::string directory = fmt::format("{}/{}", hierarchy.mountPoint, root);
    ignore(kernel::unlinkAt(kernel::workingDirectory(), directory, AT_REMOVEDIR), "a container runs, or it never was");
  }
}

}  // namespace gantry::isolators
