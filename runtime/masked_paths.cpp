#include "runtime/masked_paths.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "kernel/file.hpp"
#include "kernel/mount.hpp"

namespace gantry::runtime {
namespace {

bool isAbsent(const Error& error) {
  return error.code() == Code::NotFound || error.number() == ENOTDIR;
}

Result<kernel::Fd> hostNull() {
  TRY(kernel::Fd null, kernel::open("/dev/null", O_PATH | O_NOFOLLOW));
  TRY(const struct stat status, kernel::statAt(null, "", AT_EMPTY_PATH));
  if (!S_ISCHR(status.st_mode) || status.st_rdev != makedev(1, 3)) {
    return Error(Code::InvalidArgument, "the host's /dev/null is not the null device");
  }
  return null;
}

// One empty file system serves all masked directories.
class DirectoryMask {
 public:
  Result<kernel::Fd> copy() {
    if (mounted_) return kernel::openTree(mounted_, "", AT_EMPTY_PATH | OPEN_TREE_CLONE);
    TRY(auto context, kernel::FsContext::open("tmpfs"));
    TRY_VOID(context.set("source", "tmpfs"));
    TRY_VOID(context.set("size", "0"));
    TRY_VOID(context.set("nr_inodes", "1"));
    return context.mount(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  }
  // Copies can be made of it once it is attached.
  void attached(kernel::Fd mount) {
    if (!mounted_) mounted_ = std::move(mount);
  }

 private:
  kernel::Fd mounted_;
};

}  // namespace

Result<void> maskPaths(const RootDirectory& root, const std::vector<std::string>& paths) {
  TRY(const kernel::Fd null, hostNull());
  DirectoryMask directoryMask;
  for (const std::string& path : paths) {
    const auto target = root.open(path, O_PATH);
    if (!target) {
      if (isAbsent(target.error())) continue;
      return target.error();
    }
    TRY(const struct stat status, kernel::statAt(*target, "", AT_EMPTY_PATH));
    const bool isDirectory = S_ISDIR(status.st_mode);
    TRY(kernel::Fd mask,
        isDirectory ? directoryMask.copy() : kernel::openTree(null, "", AT_EMPTY_PATH | OPEN_TREE_CLONE));
    TRY_VOID(kernel::attachMount(mask, *target).under(path));
    if (isDirectory) directoryMask.attached(std::move(mask));
  }
  return {};
}

Result<void> makePathsReadOnly(const RootDirectory& root, const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    const auto target = root.open(path, O_PATH);
    if (!target) {
      if (isAbsent(target.error())) continue;
      return target.error();
    }
    TRY(const kernel::Fd copy, kernel::openTree(*target, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | AT_RECURSIVE));
    struct mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_RDONLY;
    TRY_VOID(kernel::setMountAttributes(copy, attributes, AT_RECURSIVE).under(path));
    TRY_VOID(kernel::attachMount(copy, *target).under(path));
  }
  return {};
}

}  // namespace gantry::runtime
