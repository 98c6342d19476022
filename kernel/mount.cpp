#include "kernel/mount.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <cerrno>

#include <fmt/format.h>

namespace gantry::kernel {
namespace {

const char* orNull(const std::string& text) {
  return text.empty() ? nullptr : text.c_str();
}

}  // namespace

Result<Fd> openTree(const Fd& directory, const std::string& path, unsigned flags) {
  const int raw = ::open_tree(directory.raw(), path.c_str(), flags | OPEN_TREE_CLOEXEC);
  if (raw < 0) return Error::fromErrno(errno, fmt::format("open mount '{}'", path));
  return Fd(raw);
}

Result<FsContext> FsContext::open(const std::string& type) {
  const int raw = ::fsopen(type.c_str(), FSOPEN_CLOEXEC);
  if (raw < 0) return Error::fromErrno(errno, fmt::format("open file system '{}'", type));
  return FsContext(Fd(raw), type);
}

Error FsContext::explain(int number, const std::string& operation) const {
  // Each read gives one message, "e tmpfs: Bad value for 'size'"; none is ENODATA.
  char message[256];
  const ssize_t count = ::read(fd_.raw(), message, sizeof message);
  Error error = Error::fromErrno(number, operation);
  if (count <= 2) return error;
  std::string said(message + 2, static_cast<std::size_t>(count) - 2);
  while (!said.empty() && said.back() == '\n') said.pop_back();
  return std::move(error).under(said);
}

Result<void> FsContext::set(const std::string& key, const std::string& value) {
  if (::fsconfig(fd_.raw(), FSCONFIG_SET_STRING, key.c_str(), value.c_str(), 0) != 0) {
    return explain(errno, fmt::format("set {} option '{}={}'", type_, key, value));
  }
  return {};
}

Result<void> FsContext::setFlag(const std::string& key) {
  if (::fsconfig(fd_.raw(), FSCONFIG_SET_FLAG, key.c_str(), nullptr, 0) != 0) {
    return explain(errno, fmt::format("set {} option '{}'", type_, key));
  }
  return {};
}

Result<Fd> FsContext::mount(std::uint64_t attributes) {
  if (::fsconfig(fd_.raw(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    return explain(errno, fmt::format("make file system '{}'", type_));
  }
  const int raw = ::fsmount(fd_.raw(), FSMOUNT_CLOEXEC, static_cast<unsigned>(attributes));
  if (raw < 0) return explain(errno, fmt::format("mount file system '{}'", type_));
  return Fd(raw);
}

Result<void> setMountAttributes(const Fd& mount, const struct mount_attr& attributes, unsigned flags) {
  struct mount_attr copy = attributes;
  if (::mount_setattr(mount.raw(), "", AT_EMPTY_PATH | flags, &copy, sizeof copy) != 0) {
    return Error::fromErrno(errno, "set mount attributes");
  }
  return {};
}

Result<void> attachMount(const Fd& mount, const Fd& target) {
  if (::move_mount(mount.raw(), "", target.raw(), "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0) {
    return Error::fromErrno(errno, "attach mount");
  }
  return {};
}

Result<void> mount(const std::string& source, const std::string& target, const std::string& type, unsigned long flags,
                   const std::string& data) {
  if (::mount(orNull(source), target.c_str(), orNull(type), flags, orNull(data)) != 0) {
    return Error::fromErrno(errno, fmt::format("mount '{}' on '{}'", source.empty() ? type : source, target));
  }
  return {};
}

Result<void> unmount(const std::string& target, int flags) {
  if (::umount2(target.c_str(), flags) != 0) return Error::fromErrno(errno, fmt::format("unmount '{}'", target));
  return {};
}

Result<void> pivotIntoWorkingDirectory() {
  if (::syscall(SYS_pivot_root, ".", ".") != 0) return Error::fromErrno(errno, "pivot_root");
  return {};
}

Result<long> fileSystemType(const Fd& file) {
  struct statfs status{};
  if (::fstatfs(file.raw(), &status) != 0) return Error::fromErrno(errno, "statfs");
  return static_cast<long>(status.f_type);
}

}  // namespace gantry::kernel
