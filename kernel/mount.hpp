// Mounts by descriptor: a mount is made detached, gets its attributes, and is then attached to a directory that was
// looked up once. No path is walked twice, so nobody can swap a directory for a symlink in between. Linux 5.12.
#pragma once

#include <sys/mount.h>

#include <cstdint>
#include <string>

#include "base/result.hpp"
#include "kernel/fd.hpp"

namespace gantry::kernel {

// open_tree (Linux 5.2). flags: OPEN_TREE_CLONE for a detached copy of the mount at `path`, AT_RECURSIVE with what is
// mounted below, AT_EMPTY_PATH for `directory` itself, AT_SYMLINK_NOFOLLOW.
Result<Fd> openTree(const Fd& directory, const std::string& path, unsigned flags);

// A file system being configured. The kernel's own explanation is part of an error's message.
class FsContext {
 public:
  // fsopen (Linux 5.2): NotFound when the kernel has no such file system.
  static Result<FsContext> open(const std::string& type);
  Result<void> set(const std::string& key, const std::string& value);
  Result<void> setFlag(const std::string& key);
  // Makes the superblock and a detached mount of it; attributes: MOUNT_ATTR_*.
  Result<Fd> mount(std::uint64_t attributes);

 private:
  FsContext(Fd fd, std::string type) : fd_(std::move(fd)), type_(std::move(type)) {}
  Error explain(int number, const std::string& operation) const;

  Fd fd_;
  std::string type_;
};

// mount_setattr (Linux 5.12) on the mount that `mount` refers to. flags: 0 or AT_RECURSIVE.
Result<void> setMountAttributes(const Fd& mount, const struct mount_attr& attributes, unsigned flags = 0);
// move_mount (Linux 5.2): attaches a detached mount on top of what `target` refers to.
Result<void> attachMount(const Fd& mount, const Fd& target);
// mount(2), the classic call; for propagation changes and for options longer than fsconfig takes. Null for empty texts.
Result<void> mount(const std::string& source, const std::string& target, const std::string& type, unsigned long flags,
                   const std::string& data);
// umount2.
Result<void> unmount(const std::string& target, int flags);
// pivot_root(".", "."): the working directory becomes the root, the old root lies on top of it (pivot_root(2), NOTES).
Result<void> pivotIntoWorkingDirectory();
// f_type of statfs: PROC_SUPER_MAGIC and its like.
Result<long> fileSystemType(const Fd& file);

}  // namespace gantry::kernel
