// Cgroup::create: the groups themselves.
#include <sys/stat.h>
#include <cerrno>

#include <fmt/format.h>

#include "base/scope_exit.hpp"
#include "kernel/cgroup_tree.hpp"
#include "kernel/file.hpp"
#include "runtime/cgroup.hpp"
#include "runtime/cgroup_files.hpp"

namespace gantry::runtime {
namespace {

constexpr mode_t kGroupMode = 0755;
constexpr int kParentAttempts = 100;

// "/a//b/" and "a/b" become "/a/b".
Result<std::string> normalise(const std::string& path, const std::string& id) {
  if (path.empty()) return "/" + id;
  std::string normal;
  for (const std::string& component : splitWords(path, '/')) {
    if (component == ".") continue;
    if (component == "..") return Error::invalid("linux.cgroupsPath", fmt::format("'{}' must not contain '..'", path));
    normal += "/" + component;
  }
  if (normal.empty()) return Error::invalid("linux.cgroupsPath", fmt::format("'{}' is the top of the tree", path));
  return normal;
}

// Makes the group and its missing parents; true when the group itself was missing. Others may remove an empty parent
// between the two, as whoever made it does when the last group in it has gone.
Result<bool> makeGroup(const std::string& directory) {
  auto made = kernel::makeDirectoryAt(kernel::workingDirectory(), directory, kGroupMode);
  for (int attempt = 0; attempt < kParentAttempts && !made && made.error().code() == Code::NotFound; ++attempt) {
    TRY_VOID(makeGroup(parentOf(directory)));
    made = kernel::makeDirectoryAt(kernel::workingDirectory(), directory, kGroupMode);
  }
  if (made) return true;
  if (made.error().code() == Code::AlreadyExists) return false;
  return std::move(made).error();
}

// A cpuset group of v1 takes no process before it has CPUs and memory nodes; a new one has none.
Result<void> inheritCpuset(const std::string& mountPoint, const std::string& directory) {
  if (directory == mountPoint) return {};
  for (const char* file : {"cpuset.cpus", "cpuset.mems"}) {
    if (!textOf(directory, file).empty()) continue;
    const std::string parent = parentOf(directory);
    std::string inherited = textOf(parent, file);
    if (inherited.empty()) {
      TRY_VOID(inheritCpuset(mountPoint, parent));
      inherited = textOf(parent, file);
    }
    const std::string path = fmt::format("{}/{}", directory, file);
    TRY_VOID(kernel::writeExistingAt(kernel::workingDirectory(), path, inherited));
  }
  return {};
}

// Hands the controllers in `wanted` down to `directory`, as far as each group above has them and lets us. What is
// missing in the end is told by the limit that needs it.
void enableControllers(const std::string& mountPoint, const std::string& directory,
                       const std::vector<std::string>& wanted) {
  for (std::size_t end = mountPoint.size(); end < directory.size();
       end = std::min(directory.find('/', end + 1), directory.size())) {
    const std::string group = directory.substr(0, end);
    const auto enabled = splitWords(textOf(group, "cgroup.subtree_control"), ' ');
    std::vector<std::string> missing;
    for (const std::string& controller : splitWords(textOf(group, "cgroup.controllers"), ' ')) {
      if (contains(wanted, controller) && !contains(enabled, controller)) missing.push_back("+" + controller);
    }
    if (missing.empty()) continue;
    const std::string file = group + "/cgroup.subtree_control";
    const std::string all = fmt::format("{}", fmt::join(missing, " "));
    if (kernel::writeExistingAt(kernel::workingDirectory(), file, all)) continue;
    for (const std::string& one : missing) {
      ignore(kernel::writeExistingAt(kernel::workingDirectory(), file, one), "see above");
    }
  }
}

// On a v2 host a container gets all controllers, for its statistics. Beside v1 hierarchies it gets those that a limit
// needs and no v1 hierarchy has: enabling one takes it from v1 for the whole host.
std::vector<std::string> wantedControllers(const kernel::CgroupLayout& layout, const kernel::CgroupHierarchy& unified,
                                           const oci::Resources& resources) {
  if (layout.mode() == kernel::CgroupMode::V2) return unified.controllers;
  std::vector<std::string> wanted;
  if (resources.memory) wanted.emplace_back("memory");
  if (resources.cpu) wanted.emplace_back("cpu");
  if (resources.cpu && !(resources.cpu->cpus.empty() && resources.cpu->mems.empty())) wanted.emplace_back("cpuset");
  if (resources.pidsLimit) wanted.emplace_back("pids");
  if (resources.blockIo) wanted.emplace_back("io");
  if (!resources.hugepageLimits.empty()) wanted.emplace_back("hugetlb");
  if (!resources.rdma.empty()) wanted.emplace_back("rdma");
  for (const auto& [file, value] : resources.unified) wanted.push_back(file.substr(0, file.find('.')));
  return wanted;
}

bool isForbidden(const Error& error) {
  return error.code() == Code::PermissionDenied || error.number() == EROFS;
}

// A group that others use, itself or below it, would be killed as a whole with the container.
Result<void> refuseUsed(const CgroupGroup& group) {
  TRY(const std::vector<pid_t> ids, kernel::cgroupProcesses(group.directory));
  if (!ids.empty()) {
    return Error(Code::Busy,
                 fmt::format("linux.cgroupsPath: cgroup '{}' already holds {} processes", group.directory, ids.size()));
  }
  return {};
}

// Our own child would stop in it for good. A new group of v1 is frozen when the one above it is.
Result<void> refuseFrozen(const CgroupGroup& group) {
  const std::string state = textOf(group.directory, group.isV2() ? "cgroup.freeze" : "freezer.state");
  if (state.empty() || state == "THAWED" || state == "0") return {};
  return Error(Code::Busy, fmt::format("linux.cgroupsPath: cgroup '{}' is frozen", group.directory));
}

}  // namespace

Result<Cgroup> Cgroup::create(const kernel::CgroupLayout& layout, const std::string& path, const std::string& id,
                              const oci::Resources& resources) {
  TRY(const std::string below, normalise(path, id));
  const bool absolute = path.empty() || path.front() == '/';
  std::vector<CgroupGroup> groups;
  std::vector<CgroupGroup> made;
  ScopeExit removeMade([&] { ignore(Cgroup(made).remove(), "create has already failed"); });

  for (const kernel::CgroupHierarchy& hierarchy : layout.hierarchies) {
    const std::string top = absolute ? hierarchy.mountPoint : hierarchy.mountPoint + hierarchy.self;
    const CgroupGroup group{hierarchy.name, hierarchy.mountPoint, top + below};
    auto isNew = makeGroup(group.directory);
    if (!isNew) {
      if (isForbidden(isNew.error())) continue;
      return std::move(isNew).error();
    }
    if (*isNew) {
      made.push_back(group);
    } else {
      TRY_VOID(refuseUsed(group));
    }
    if (hierarchy.has("freezer") || hierarchy.isV2()) TRY_VOID(refuseFrozen(group));
    if (hierarchy.has("cpuset") && !hierarchy.isV2()) TRY_VOID(inheritCpuset(hierarchy.mountPoint, group.directory));
    if (hierarchy.isV2()) {
      const auto wanted = wantedControllers(layout, hierarchy, resources);
      if (!wanted.empty()) enableControllers(hierarchy.mountPoint, group.directory, wanted);
    }
    groups.push_back(group);
  }
  TRY_VOID(applyResources(groups, resources, true));
  removeMade.release();
  return Cgroup(std::move(groups));
}

}  // namespace gantry::runtime
