// Directory entries of every kind and their metadata, by directory and name. Each function is one system call and never
// follows a symlink in the last part of the name; errors name the path.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "kernel/fd.hpp"

namespace gantry::kernel {

// mknodat: `mode` holds the type (S_IFCHR, S_IFBLK, S_IFIFO) and the permissions.
Result<void> makeNodeAt(const Fd& directory, const std::string& name, mode_t mode, dev_t device);
// linkat: `name` becomes another name of `target`.
Result<void> linkAt(const Fd& targetDirectory, const std::string& target, const Fd& directory, const std::string& name);
// fchownat with AT_SYMLINK_NOFOLLOW; clears the set-id bits of files, so it comes before the mode. An empty name means
// `directory` itself, which may then be any file.
Result<void> changeOwnerAt(const Fd& directory, const std::string& name, uid_t uid, gid_t gid);
// fchmod of an open file.
Result<void> changeMode(const Fd& file, mode_t mode);
// fchmodat, for what cannot be opened. Follows symlinks, so only for a name that is known not to be one.
Result<void> changeModeAt(const Fd& directory, const std::string& name, mode_t mode);
// Sets access and modification time to `time`. An empty name means `directory` itself.
Result<void> setTimesAt(const Fd& directory, const std::string& name, const timespec& time);

// Extended attributes of an open file.
Result<void> setAttribute(const Fd& file, const std::string& name, std::string_view value);
// Nothing when the file does not have it.
Result<std::optional<std::string>> readAttribute(const Fd& file, const std::string& name);
Result<std::vector<std::string>> listAttributes(const Fd& file);
// Of something that cannot be opened, as a name in the working directory (there is no lsetxattrat before Linux 6.13).
Result<void> setAttributeHere(const std::string& name, const std::string& attribute, std::string_view value);

// The next part of a file at or behind `offset` that is no hole (lseek with SEEK_DATA and SEEK_HOLE); nothing behind
// the last one. Moves the file's position.
struct Extent {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};
Result<std::optional<Extent>> nextData(const Fd& file, std::uint64_t offset);

// fchdir.
Result<void> changeWorkingDirectory(const Fd& directory);
// umask.
void setFileModeMask(mode_t mask);

// renameat: replaces what has the new name.
Result<void> renameAt(const Fd& from, const std::string& name, const Fd& to, const std::string& newName);
// renameat2 with RENAME_NOREPLACE: AlreadyExists instead of replacing.
Result<void> renameNoReplaceAt(const Fd& from, const std::string& name, const Fd& to, const std::string& newName);

// Writes everything of the file system that `file` is on to the disk.
Result<void> syncFileSystem(const Fd& file);
Result<void> syncFile(const Fd& file);
// flock. False when somebody else holds it and `wait` is not set.
enum class Lock { Shared, Exclusive };
Result<bool> lockFile(const Fd& file, Lock kind, bool wait);

}  // namespace gantry::kernel
