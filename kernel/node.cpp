#include "kernel/node.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>

#include "kernel/file.hpp"

namespace gantry::kernel {
namespace {

// Attribute values and lists are at most this large (XATTR_SIZE_MAX, XATTR_LIST_MAX of linux/limits.h).
constexpr std::size_t kMaxAttribute = 65536;

Error failed(std::string_view operation, std::string_view name) {
  return Error::fromErrno(errno, fmt::format("{} '{}'", operation, name));
}

}  // namespace

Result<void> makeNodeAt(const Fd& directory, const std::string& name, mode_t mode, dev_t device) {
  if (::mknodat(directory.raw(), name.c_str(), mode, device) != 0) return failed("make node", name);
  return {};
}

Result<void> linkAt(const Fd& targetDirectory, const std::string& target, const Fd& directory,
                    const std::string& name) {
  if (::linkat(targetDirectory.raw(), target.c_str(), directory.raw(), name.c_str(), 0) != 0) {
    return Error::fromErrno(errno, fmt::format("link '{}' to '{}'", name, target));
  }
  return {};
}

Result<void> changeOwnerAt(const Fd& directory, const std::string& name, uid_t uid, gid_t gid) {
  if (::fchownat(directory.raw(), name.c_str(), uid, gid, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0) {
    return failed("change owner of", name);
  }
  return {};
}

Result<void> changeMode(const Fd& file, mode_t mode) {
  if (::fchmod(file.raw(), mode) != 0) return Error::fromErrno(errno, "change mode");
  return {};
}

Result<void> changeModeAt(const Fd& directory, const std::string& name, mode_t mode) {
  if (::fchmodat(directory.raw(), name.c_str(), mode, 0) != 0) return failed("change mode of", name);
  return {};
}

Result<void> setTimesAt(const Fd& directory, const std::string& name, const timespec& time) {
  const timespec both[2] = {time, time};
  const int done = name.empty() ? ::futimens(directory.raw(), both)
                                : ::utimensat(directory.raw(), name.c_str(), both, AT_SYMLINK_NOFOLLOW);
  if (done != 0) return failed("set times of", name);
  return {};
}

Result<void> setAttribute(const Fd& file, const std::string& name, std::string_view value) {
  if (::fsetxattr(file.raw(), name.c_str(), value.data(), value.size(), 0) != 0) return failed("set attribute", name);
  return {};
}

Result<std::optional<std::string>> readAttribute(const Fd& file, const std::string& name) {
  std::string value(kMaxAttribute, '\0');
  const ssize_t size = ::fgetxattr(file.raw(), name.c_str(), value.data(), value.size());
  if (size < 0) {
    if (errno == ENODATA || errno == EOPNOTSUPP) return std::optional<std::string>();
    return failed("read attribute", name);
  }
  value.resize(static_cast<std::size_t>(size));
  return std::optional(std::move(value));
}

Result<std::vector<std::string>> listAttributes(const Fd& file) {
  std::string list(kMaxAttribute, '\0');
  const ssize_t size = ::flistxattr(file.raw(), list.data(), list.size());
  std::vector<std::string> names;
  if (size < 0) {
    if (errno == EOPNOTSUPP) return names;
    return Error::fromErrno(errno, "list attributes");
  }
  std::string_view rest(list.data(), static_cast<std::size_t>(size));
  while (!rest.empty()) {
    const auto end = rest.find('\0');
    names.emplace_back(rest.substr(0, end));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  return names;
}

Result<void> setAttributeHere(const std::string& name, const std::string& attribute, std::string_view value) {
  if (::lsetxattr(name.c_str(), attribute.c_str(), value.data(), value.size(), 0) != 0) {
    return Error::fromErrno(errno, fmt::format("set attribute '{}' of '{}'", attribute, name));
  }
  return {};
}

Result<std::optional<Extent>> nextData(const Fd& file, std::uint64_t offset) {
  const off_t begin = ::lseek(file.raw(), static_cast<off_t>(offset), SEEK_DATA);
  if (begin < 0 && errno == ENXIO) return std::optional<Extent>();
  const off_t end = begin < 0 ? begin : ::lseek(file.raw(), begin, SEEK_HOLE);
  if (end < 0) return Error::fromErrno(errno, "look for the data of a file");
  return std::optional(Extent{static_cast<std::uint64_t>(begin), static_cast<std::uint64_t>(end)});
}

Result<void> changeWorkingDirectory(const Fd& directory) {
  if (::fchdir(directory.raw()) != 0) return Error::fromErrno(errno, "change working directory");
  return {};
}

void setFileModeMask(mode_t mask) {
  ::umask(mask);
}

Result<void> renameAt(const Fd& from, const std::string& name, const Fd& to, const std::string& newName) {
  if (::renameat(from.raw(), name.c_str(), to.raw(), newName.c_str()) != 0) {
    return Error::fromErrno(errno, fmt::format("rename '{}' to '{}'", name, newName));
  }
  return {};
}

Result<void> renameNoReplaceAt(const Fd& from, const std::string& name, const Fd& to, const std::string& newName) {
  if (::renameat2(from.raw(), name.c_str(), to.raw(), newName.c_str(), RENAME_NOREPLACE) != 0) {
    return Error::fromErrno(errno, fmt::format("rename '{}' to '{}'", name, newName));
  }
  return {};
}

Result<void> syncFileSystem(const Fd& file) {
  if (::syncfs(file.raw()) != 0) return Error::fromErrno(errno, "sync file system");
  return {};
}

Result<void> syncFile(const Fd& file) {
  if (::fsync(file.raw()) != 0) return Error::fromErrno(errno, "sync file");
  return {};
}

Result<bool> lockFile(const Fd& file, Lock kind, bool wait) {
  const int operation = (kind == Lock::Shared ? LOCK_SH : LOCK_EX) | (wait ? 0 : LOCK_NB);
  while (::flock(file.raw(), operation) != 0) {
    if (errno == EINTR) continue;
    if (errno == EWOULDBLOCK) return false;
    return Error::fromErrno(errno, "lock file");
  }
  return true;
}

}  // namespace gantry::kernel
