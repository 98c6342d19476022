// Files and directories by descriptor: directory first, path second. Each function is one system call (or the loop
// that a short read or EINTR makes of it); errors name the path.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "kernel/fd.hpp"

namespace gantry::kernel {

// For the `directory` arguments below: relative to the working directory, or absolute paths.
const Fd& workingDirectory();

Result<Fd> openAt(const Fd& directory, const std::string& path, int flags, mode_t mode = 0);
inline Result<Fd> open(const std::string& path, int flags, mode_t mode = 0) {
  return openAt(workingDirectory(), path, flags, mode);
}
// openat2 (Linux 5.6): `resolve` takes RESOLVE_* flags, e.g. RESOLVE_IN_ROOT so that no symlink leads out of
// `directory`.
Result<Fd> openAt2(const Fd& directory, const std::string& path, int flags, std::uint64_t resolve, mode_t mode = 0);

// Up to `limit` bytes from the current position to the end; more is Exhausted ("is larger than …").
Result<std::string> readAll(const Fd& file, std::size_t limit = 64U << 20U);
Result<std::string> readFileAt(const Fd& directory, const std::string& path, std::size_t limit = 64U << 20U);
inline Result<std::string> readFile(const std::string& path, std::size_t limit = 64U << 20U) {
  return readFileAt(workingDirectory(), path, limit);
}

Result<void> writeAll(const Fd& file, std::string_view data);
// One write(2) to an existing file, as procfs, sysfs and cgroupfs want it; a short write is an error.
Result<void> writeExistingAt(const Fd& directory, const std::string& path, std::string_view data);
// One pwrite; may write less than all of `data`.
Result<std::size_t> writeAt(const Fd& file, std::string_view data, std::uint64_t offset);
// One read of up to `limit` bytes into `buffer`; 0 at the end.
Result<std::size_t> readNext(const Fd& file, char* buffer, std::size_t limit);
// One pread of up to `limit` bytes into `buffer`; 0 at the end of the file.
Result<std::size_t> readAt(const Fd& file, char* buffer, std::size_t limit, std::uint64_t offset);
Result<void> truncate(const Fd& file, std::uint64_t size);
// lseek to the start.
Result<void> rewind(const Fd& file);
// copy_file_range (Linux 4.5) from and to the current positions: how much was copied, 0 at the end of `from`. Fails
// with EXDEV, EINVAL or EOPNOTSUPP for files that can only be read and written.
Result<std::size_t> copyRange(const Fd& from, const Fd& to, std::size_t limit);
// Writes a temporary file beside `path`, fsyncs it, renames it over and fsyncs the directory: after a crash the old or
// the new content is there, whole.
Result<void> replaceFileAt(const Fd& directory, const std::string& path, std::string_view data, mode_t mode = 0600);
inline Result<void> replaceFile(const std::string& path, std::string_view data, mode_t mode = 0600) {
  return replaceFileAt(workingDirectory(), path, data, mode);
}
// The same without the fsyncs: whole after a crash of ours, but not after one of the machine. For what dies with the
// boot anyway.
Result<void> replaceVolatileFile(const std::string& path, std::string_view data, mode_t mode = 0600);

Result<void> makeDirectoryAt(const Fd& directory, const std::string& path, mode_t mode);
// mkdir -p: each missing part gets `mode`. Follows symlinks, so only for trusted paths.
Result<void> makeDirectories(const std::string& path, mode_t mode);
// flags: 0 or AT_REMOVEDIR.
Result<void> unlinkAt(const Fd& directory, const std::string& path, int flags = 0);
inline Result<void> unlink(const std::string& path) {
  return unlinkAt(workingDirectory(), path);
}
// rm -rf that never follows a symlink and never leaves the file system `path` is on (a mount point below it is Busy).
// A missing path is success.
Result<void> removeTree(const std::string& path);
// The same for one name in a directory.
Result<void> removeTreeAt(const Fd& directory, const std::string& name);
Result<void> rename(const std::string& from, const std::string& to);
Result<void> symlinkAt(const std::string& target, const Fd& directory, const std::string& path);
Result<std::string> readLinkAt(const Fd& directory, const std::string& path);
inline Result<std::string> readLink(const std::string& path) {
  return readLinkAt(workingDirectory(), path);
}

// flags: 0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH.
Result<struct stat> statAt(const Fd& directory, const std::string& path, int flags = 0);
bool exists(const std::string& path);
// The names in a directory without "." and "..", unsorted.
Result<std::vector<std::string>> listDirectory(const std::string& path);
Result<std::vector<std::string>> listDirectory(const Fd& directory);

}  // namespace gantry::kernel
