#include "isolators/filesystem/filesystem.hpp"

#include <fcntl.h>
#include <linux/mount.h>

#include <algorithm>
#include <array>
#include <functional>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include "isolators/filesystem/overlay.hpp"
#include "kernel/file.hpp"
#include "kernel/mount.hpp"

namespace gantry::isolators {
namespace {

std::string rootfsOf(const Container& container) {
  return container.runtimeDirectory + "/rootfs";
}

// Undoes every mount at `path`; a path that is no mount point, or is not there, is success.
Result<void> unmountAll(const std::string& path) {
  while (true) {
    auto unmounted = kernel::unmount(path, MNT_DETACH | UMOUNT_NOFOLLOW);
    if (unmounted) continue;
    const Code code = unmounted.error().code();
    if (code == Code::InvalidArgument || code == Code::NotFound) return {};
    return unmounted;
  }
}

Result<void> mountImage(const Container& container) {
  Overlay overlay{.layers = container.layers,
                  .upper = container.stateDirectory + "/upper",
                  .work = container.stateDirectory + "/work"};
  // The root directory's own attributes are the upper directory's.
  TRY_VOID(kernel::makeDirectories(overlay.upper, 0755));
  TRY_VOID(kernel::makeDirectories(overlay.work, 0700));
  if (overlay.layers.empty()) {
    overlay.layers.push_back(container.stateDirectory + "/empty");
    TRY_VOID(kernel::makeDirectories(overlay.layers.back(), 0755));
  }
  return mountOverlay(overlay, rootfsOf(container));
}

Result<void> mountHost(const Container& container) {
  TRY(const kernel::Fd host, kernel::openTree(kernel::workingDirectory(), "/", OPEN_TREE_CLONE));
  struct mount_attr attributes{};
  attributes.propagation = MS_PRIVATE;
  TRY_VOID(kernel::setMountAttributes(host, attributes));
  TRY(const kernel::Fd target, kernel::open(rootfsOf(container), O_PATH | O_DIRECTORY));
  return kernel::attachMount(host, target);
}

Result<Contribution> withImage(const Container& container, const std::string& sandbox) {
  TRY_VOID(mountImage(container));
  Contribution contribution;
  contribution.environment["MESOS_SANDBOX"] = sandbox;
  contribution.mounts.push_back(
      {.destination = sandbox, .type = "bind", .source = container.sandbox, .options = {"rbind", "rprivate"}});
  return contribution;
}

Result<Contribution> withHost(const Container& container, const std::string& hidden) {
  TRY_VOID(mountHost(container));
  TRY(const auto mounts, kernel::readMountInfo());
  Contribution contribution;
  contribution.environment["MESOS_SANDBOX"] = container.sandbox;
  contribution.mounts = hostMounts(mounts, hidden);
  return contribution;
}

Result<Contribution> mountRoot(const Container& container, const std::string& sandbox, const std::string& hidden) {
  const std::string rootfs = rootfsOf(container);
  TRY_VOID(kernel::makeDirectories(rootfs, 0755));
  TRY_VOID(unmountAll(rootfs));
  TRY(auto contribution, container.request.image ? withImage(container, sandbox) : withHost(container, hidden));
  contribution.rootfs = rootfs;
  contribution.readOnlyRootfs = container.request.security.readOnlyRootfs;
  return contribution;
}

// Waits for the kernel to let go of the mount, some milliseconds and more on a busy machine, and deletes the writable
// layer, however large: work for the pool.
Result<void> unmountAndRemove(const std::string& rootfs, const std::string& stateDirectory) {
  TRY_VOID(unmountAll(rootfs));
  TRY_VOID(kernel::removeTree(rootfs));
  for (const char* name : {"/upper", "/work", "/empty"}) TRY_VOID(kernel::removeTree(stateDirectory + name));
  return {};
}

}  // namespace

std::vector<oci::Mount> hostMounts(const std::vector<kernel::MountEntry>& mounts, const std::string& hidden) {
  constexpr std::array<std::string_view, 3> kOwn = {"/proc", "/sys", "/dev"};
  std::vector<oci::Mount> kept;
  std::set<std::string> seen{"/"};
  const auto root = std::ranges::find(mounts, "/", &kernel::MountEntry::mountPoint);
  const auto isRootAgain = [&](const kernel::MountEntry& entry) {
    return root != mounts.end() && entry.root == root->root && entry.source == root->source && entry.type == root->type;
  };
  for (const kernel::MountEntry& entry : mounts) {
    const std::string& path = entry.mountPoint;
    const bool isOwn = std::ranges::any_of(kOwn, [&](std::string_view own) { return kernel::isAtOrBelow(path, own); });
    if (isOwn || kernel::isAtOrBelow(path, hidden) || entry.type == "overlay" || entry.type == "nsfs") continue;
    if (isRootAgain(entry)) continue;
    if (!seen.insert(path).second) continue;
    kept.push_back({.destination = path, .type = "bind", .source = path, .options = {"bind", "rslave"}});
  }
  return kept;
}

Result<void> FilesystemIsolator::check(const ContainerRequest& request) const {
  if (request.resources.disk) {
    return Error(Code::Unsupported, "resources.disk: this host cannot enforce a disk limit (no project quotas)");
  }
  return {};
}

std::vector<KernelObject> FilesystemIsolator::plan(const Container& container) const {
  return {{.kind = "mount", .name = rootfsOf(container)}};
}

async::Task<Result<Contribution>> FilesystemIsolator::prepare(ContainerPtr container) {
  co_return mountRoot(*container, sandbox_, containers_);
}

async::Task<Result<void>> FilesystemIsolator::cleanup(ContainerPtr container) {
  std::function<Result<void>()> remove = [rootfs = rootfsOf(*container), state = container->stateDirectory] {
    return unmountAndRemove(rootfs, state);
  };
  co_return co_await pool_.run(std::move(remove));
}

std::vector<std::string> FilesystemIsolator::leftovers() const {
  std::vector<std::string> ids;
  const auto mounts = kernel::readMountInfo();
  if (!mounts) return ids;
  for (const kernel::MountEntry& entry : *mounts) {
    std::string_view path = entry.mountPoint;
    if (!path.starts_with(containers_ + "/") || !path.ends_with("/rootfs")) continue;
    path.remove_prefix(containers_.size() + 1);
    path.remove_suffix(std::string_view("/rootfs").size());
    if (path.find('/') == std::string_view::npos) ids.emplace_back(path);
  }
  return ids;
}

}  // namespace gantry::isolators
