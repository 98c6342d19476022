#include "runtime/copy_tree.hpp"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>

#include <string>

#include <fmt/format.h>

#include "kernel/file.hpp"

namespace gantry::runtime {
namespace {

Result<void> copyContent(const kernel::Fd& from, const kernel::Fd& to) {
  while (true) {
    const ssize_t count = ::sendfile(to.raw(), from.raw(), nullptr, 1U << 30U);
    if (count == 0) return {};
    if (count < 0 && errno != EINTR) return Error::fromErrno(errno, "copy");
  }
}

Result<void> copyAttributes(const kernel::Fd& to, const struct stat& status) {
  if (::fchown(to.raw(), status.st_uid, status.st_gid) != 0) return Error::fromErrno(errno, "change the owner");
  if (::fchmod(to.raw(), status.st_mode & 07777U) != 0) return Error::fromErrno(errno, "change the mode");
  const timespec times[2]{status.st_atim, status.st_mtim};
  if (::futimens(to.raw(), times) != 0) return Error::fromErrno(errno, "change the times");
  return {};
}

Result<void> copyNode(const kernel::Fd& to, const std::string& name, const struct stat& status) {
  if (::mknodat(to.raw(), name.c_str(), status.st_mode, status.st_rdev) != 0) {
    return Error::fromErrno(errno, fmt::format("make '{}'", name));
  }
  if (::fchownat(to.raw(), name.c_str(), status.st_uid, status.st_gid, AT_SYMLINK_NOFOLLOW) != 0) {
    return Error::fromErrno(errno, fmt::format("change the owner of '{}'", name));
  }
  return {};
}

Result<void> copyEntry(const kernel::Fd& from, const kernel::Fd& to, const std::string& name, dev_t device);

Result<void> copyEntries(const kernel::Fd& from, const kernel::Fd& to, dev_t device) {
  TRY(const auto names, kernel::listDirectory(from));
  for (const std::string& name : names) TRY_VOID(copyEntry(from, to, name, device).under(name));
  return {};
}

Result<void> copyDirectory(const kernel::Fd& from, const kernel::Fd& to, const std::string& name,
                           const struct stat& status) {
  TRY(const kernel::Fd source, kernel::openAt(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  TRY_VOID(kernel::makeDirectoryAt(to, name, 0700));
  TRY(const kernel::Fd made, kernel::openAt(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  TRY_VOID(copyEntries(source, made, status.st_dev));
  return copyAttributes(made, status);
}

Result<void> copyEntry(const kernel::Fd& from, const kernel::Fd& to, const std::string& name, dev_t device) {
  TRY(const struct stat status, kernel::statAt(from, name, AT_SYMLINK_NOFOLLOW));
  if (status.st_dev != device) return {};
  if (S_ISDIR(status.st_mode)) return copyDirectory(from, to, name, status);
  if (S_ISLNK(status.st_mode)) {
    TRY(const std::string target, kernel::readLinkAt(from, name));
    return kernel::symlinkAt(target, to, name);
  }
  if (!S_ISREG(status.st_mode)) return copyNode(to, name, status);
  TRY(const kernel::Fd source, kernel::openAt(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  TRY(const kernel::Fd made, kernel::openAt(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  TRY_VOID(copyContent(source, made));
  return copyAttributes(made, status);
}

}  // namespace

Result<void> copyTree(const kernel::Fd& from, const kernel::Fd& to) {
  // Both may be O_PATH descriptors; reading needs open ones.
  TRY(const kernel::Fd source, kernel::openAt(from, ".", O_RDONLY | O_DIRECTORY));
  TRY(const kernel::Fd target, kernel::openAt(to, ".", O_RDONLY | O_DIRECTORY));
  TRY(const struct stat status, kernel::statAt(source, "", AT_EMPTY_PATH));
  TRY_VOID(copyEntries(source, target, status.st_dev));
  return copyAttributes(target, status);
}

}  // namespace gantry::runtime
