#include "runtime/cgroup_mount.hpp"

#include <fcntl.h>
#include <sys/mount.h>

#include <string>
#include <string_view>

#include <fmt/format.h>

#include "kernel/file.hpp"
#include "kernel/mount.hpp"

namespace gantry::runtime {
namespace {

std::string baseName(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

Result<void> attachV2(const kernel::Fd& target, PreparedMount& prepared, bool newCgroupNamespace) {
  kernel::Fd& bound = prepared.cgroups.front().tree;
  if (newCgroupNamespace) {
    // A fresh mount shows the namespace's own root. A user namespace may not make one where the host's is masked.
    TRY(auto context, kernel::FsContext::open("cgroup2"));
    TRY_VOID(context.set("source", "cgroup"));
    auto fresh = context.mount(prepared.options.set);
    if (fresh) return kernel::attachMount(*fresh, target);
  }
  TRY_VOID(applyAttributes(bound, prepared.options));
  return kernel::attachMount(bound, target);
}

Result<void> linkControllers(const kernel::Fd& directory, const std::string& name) {
  if (name.find(',') == std::string::npos) return {};
  for (std::string_view rest = name; !rest.empty();) {
    const auto comma = rest.find(',');
    TRY_VOID(kernel::symlinkAt(name, directory, std::string(rest.substr(0, comma))));
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
  }
  return {};
}

Result<void> attachV1(const kernel::Fd& target, PreparedMount& prepared) {
  TRY(auto context, kernel::FsContext::open("tmpfs"));
  TRY_VOID(context.set("source", "tmpfs"));
  TRY_VOID(context.set("mode", "755"));
  TRY(const kernel::Fd top, context.mount(prepared.options.set & ~std::uint64_t{MOUNT_ATTR_RDONLY}));
  TRY_VOID(kernel::attachMount(top, target));
  for (CgroupTree& cgroup : prepared.cgroups) {
    const std::string name = baseName(cgroup.group.mountPoint);
    auto made = kernel::makeDirectoryAt(top, name, 0755);
    if (!made && made.error().code() == Code::AlreadyExists) continue;  // two mount points of one name
    TRY_VOID(std::move(made));
    TRY(const kernel::Fd below, kernel::openAt(top, name, O_PATH | O_DIRECTORY));
    TRY_VOID(applyAttributes(cgroup.tree, prepared.options).under(name));
    TRY_VOID(kernel::attachMount(cgroup.tree, below).under(name));
    TRY_VOID(linkControllers(top, name));
  }
  struct mount_attr attributes{};
  attributes.attr_set = prepared.options.set & MOUNT_ATTR_RDONLY;
  return kernel::setMountAttributes(top, attributes);
}

}  // namespace

Result<std::vector<CgroupTree>> prepareCgroupTrees(const std::vector<CgroupGroup>& groups) {
  std::vector<CgroupTree> trees;
  for (const CgroupGroup& group : groups) {
    TRY(kernel::Fd tree, kernel::openTree(kernel::workingDirectory(), group.directory, OPEN_TREE_CLONE));
    struct mount_attr attributes{};
    attributes.propagation = MS_PRIVATE;
    TRY_VOID(kernel::setMountAttributes(tree, attributes));
    trees.push_back({group, std::move(tree)});
  }
  if (trees.empty()) return Error(Code::Unsupported, "the container has no cgroups to show");
  return trees;
}

Result<void> attachCgroups(const RootDirectory& root, PreparedMount& prepared, bool newCgroupNamespace) {
  TRY(const kernel::Fd target, root.openOrMakeDirectory(prepared.mount->destination));
  const bool onlyV2 = prepared.cgroups.size() == 1 && prepared.cgroups.front().group.isV2();
  return onlyV2 ? attachV2(target, prepared, newCgroupNamespace) : attachV1(target, prepared);
}

}  // namespace gantry::runtime
