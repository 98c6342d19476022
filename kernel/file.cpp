#include "kernel/file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cerrno>
#include <cstdio>

#include <memory>

#include <fmt/format.h>

namespace gantry::kernel {
namespace {

// Look-ups that openAt2 tries again when renames race with them.
constexpr int kMostRaces = 10'000;

template <typename Call>
auto retry(Call call) {
  decltype(call()) result;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

struct CloseDirectory {
  void operator()(DIR* stream) const { ::closedir(stream); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

Result<Directory> openDirectoryStream(Fd directory, const std::string& path) {
  DIR* stream = ::fdopendir(directory.raw());
  if (stream == nullptr) return Error::fromErrno(errno, fmt::format("list '{}'", path));
  (void)directory.release();
  return Directory(stream);
}

Result<std::vector<std::string>> namesIn(Fd directory, const std::string& shown) {
  TRY(const Directory entries, openDirectoryStream(std::move(directory), shown));
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(entries.get())) {
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(std::move(name));
  }
  return names;
}

Result<void> removeBelow(const Fd& parent, const std::string& name, const std::string& shown, dev_t device) {
  if (::unlinkat(parent.raw(), name.c_str(), 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR && errno != EPERM) return Error::fromErrno(errno, fmt::format("remove '{}'", shown));
  TRY(Fd directory, openAt(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  TRY(const struct stat status, statAt(directory, "", AT_EMPTY_PATH));
  if (status.st_dev != device) {
    return Error(Code::Busy, fmt::format("remove '{}': another file system is mounted there", shown));
  }
  TRY(Fd stream, duplicate(directory));
  TRY(const Directory entries, openDirectoryStream(std::move(stream), shown));
  while (const dirent* entry = ::readdir(entries.get())) {
    const std::string child = entry->d_name;
    if (child == "." || child == "..") continue;
    TRY_VOID(removeBelow(directory, child, fmt::format("{}/{}", shown, child), device));
  }
  return unlinkAt(parent, name, AT_REMOVEDIR);
}

}  // namespace

const Fd& workingDirectory() {
  static const Fd* const directory = new Fd(AT_FDCWD);
  return *directory;
}

Result<Fd> openAt(const Fd& directory, const std::string& path, int flags, mode_t mode) {
  const int raw = retry([&] { return ::openat(directory.raw(), path.c_str(), flags | O_CLOEXEC, mode); });
  if (raw < 0) return Error::fromErrno(errno, fmt::format("open '{}'", path));
  return Fd(raw);
}

Result<Fd> openAt2(const Fd& directory, const std::string& path, int flags, std::uint64_t resolve, mode_t mode) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags) | O_CLOEXEC;
  how.mode = mode;
  how.resolve = resolve;
  // EAGAIN: a rename raced with a RESOLVE_IN_ROOT look-up. Whoever renames without pause gets an error in the end.
  int races = 0;
  long raw = -1;
  do {
    raw = ::syscall(SYS_openat2, directory.raw(), path.c_str(), &how, sizeof how);
  } while (raw < 0 && (errno == EINTR || (errno == EAGAIN && ++races < kMostRaces)));
  if (raw < 0) return Error::fromErrno(errno, fmt::format("open '{}'", path));
  return Fd(static_cast<int>(raw));
}

Result<std::string> readAll(const Fd& file, std::size_t limit) {
  std::string data;
  char buffer[16384];
  while (true) {
    const ssize_t count = retry([&] { return ::read(file.raw(), buffer, sizeof buffer); });
    if (count < 0) return Error::fromErrno(errno, "read");
    if (count == 0) return data;
    data.append(buffer, static_cast<std::size_t>(count));
    if (data.size() > limit) return Error(Code::Exhausted, fmt::format("is larger than {} bytes", limit));
  }
}

Result<std::string> readFileAt(const Fd& directory, const std::string& path, std::size_t limit) {
  TRY(const Fd file, openAt(directory, path, O_RDONLY));
  return readAll(file, limit).under(fmt::format("read '{}'", path));
}

Result<void> writeAll(const Fd& file, std::string_view data) {
  while (!data.empty()) {
    const ssize_t count = retry([&] { return ::write(file.raw(), data.data(), data.size()); });
    if (count < 0) return Error::fromErrno(errno, "write");
    data.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

Result<void> writeExistingAt(const Fd& directory, const std::string& path, std::string_view data) {
  TRY(const Fd file, openAt(directory, path, O_WRONLY));
  const ssize_t count = retry([&] { return ::write(file.raw(), data.data(), data.size()); });
  if (count < 0) return Error::fromErrno(errno, fmt::format("write '{}' to '{}'", data, path));
  if (static_cast<std::size_t>(count) != data.size()) {
    return Error(Code::Internal, fmt::format("write '{}' to '{}': only {} bytes were taken", data, path, count));
  }
  return {};
}

Result<std::size_t> writeAt(const Fd& file, std::string_view data, std::uint64_t offset) {
  const ssize_t count =
      retry([&] { return ::pwrite(file.raw(), data.data(), data.size(), static_cast<off_t>(offset)); });
  if (count < 0) return Error::fromErrno(errno, "write");
  return static_cast<std::size_t>(count);
}

Result<std::size_t> readNext(const Fd& file, char* buffer, std::size_t limit) {
  const ssize_t count = retry([&] { return ::read(file.raw(), buffer, limit); });
  if (count < 0) return Error::fromErrno(errno, "read");
  return static_cast<std::size_t>(count);
}

Result<std::size_t> readAt(const Fd& file, char* buffer, std::size_t limit, std::uint64_t offset) {
  const ssize_t count = retry([&] { return ::pread(file.raw(), buffer, limit, static_cast<off_t>(offset)); });
  if (count < 0) return Error::fromErrno(errno, "read");
  return static_cast<std::size_t>(count);
}

Result<std::size_t> copyRange(const Fd& from, const Fd& to, std::size_t limit) {
  const ssize_t count = retry([&] { return ::copy_file_range(from.raw(), nullptr, to.raw(), nullptr, limit, 0); });
  if (count < 0) return Error::fromErrno(errno, "copy");
  return static_cast<std::size_t>(count);
}

Result<void> rewind(const Fd& file) {
  if (::lseek(file.raw(), 0, SEEK_SET) != 0) return Error::fromErrno(errno, "seek");
  return {};
}

Result<void> truncate(const Fd& file, std::uint64_t size) {
  if (::ftruncate(file.raw(), static_cast<off_t>(size)) != 0) return Error::fromErrno(errno, "set file size");
  return {};
}

namespace {

enum class Sync { Yes, No };

Result<void> replaceAt(const Fd& directory, const std::string& path, std::string_view data, mode_t mode, Sync sync) {
  const std::string temporary = fmt::format("{}.new", path);
  {
    TRY(const Fd file, openAt(directory, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode));
    TRY_VOID(writeAll(file, data).under(fmt::format("write '{}'", temporary)));
    if (sync == Sync::Yes && ::fsync(file.raw()) != 0) {
      return Error::fromErrno(errno, fmt::format("fsync '{}'", temporary));
    }
  }
  if (::renameat(directory.raw(), temporary.c_str(), directory.raw(), path.c_str()) != 0) {
    return Error::fromErrno(errno, fmt::format("rename '{}' to '{}'", temporary, path));
  }
  if (sync == Sync::No) return {};
  const auto slash = path.rfind('/');
  const std::string parent = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  TRY(const Fd holder, openAt(directory, parent, O_RDONLY | O_DIRECTORY));
  if (::fsync(holder.raw()) != 0) return Error::fromErrno(errno, fmt::format("fsync '{}'", parent));
  return {};
}

}  // namespace

Result<void> replaceFileAt(const Fd& directory, const std::string& path, std::string_view data, mode_t mode) {
  return replaceAt(directory, path, data, mode, Sync::Yes);
}

Result<void> replaceVolatileFile(const std::string& path, std::string_view data, mode_t mode) {
  return replaceAt(workingDirectory(), path, data, mode, Sync::No);
}

Result<void> makeDirectoryAt(const Fd& directory, const std::string& path, mode_t mode) {
  if (::mkdirat(directory.raw(), path.c_str(), mode) != 0) {
    return Error::fromErrno(errno, fmt::format("make directory '{}'", path));
  }
  return {};
}

Result<void> makeDirectories(const std::string& path, mode_t mode) {
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (::mkdir(part.c_str(), mode) != 0 && errno != EEXIST) {
      return Error::fromErrno(errno, fmt::format("make directory '{}'", part));
    }
    if (end == std::string::npos) break;
  }
  TRY(const struct stat status, statAt(workingDirectory(), path));
  if (!S_ISDIR(status.st_mode)) return Error::fromErrno(ENOTDIR, fmt::format("make directory '{}'", path));
  return {};
}

Result<void> unlinkAt(const Fd& directory, const std::string& path, int flags) {
  if (::unlinkat(directory.raw(), path.c_str(), flags) != 0) {
    return Error::fromErrno(errno, fmt::format("remove '{}'", path));
  }
  return {};
}

Result<void> removeTree(const std::string& path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return {};
    return Error::fromErrno(errno, fmt::format("remove '{}'", path));
  }
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return removeBelow(workingDirectory(), path, path, status.st_dev);
  TRY(const Fd parent, open(path.substr(0, slash + 1), O_RDONLY | O_DIRECTORY));
  TRY(const struct stat above, statAt(parent, "", AT_EMPTY_PATH));
  return removeBelow(parent, path.substr(slash + 1), path, above.st_dev);
}

Result<void> removeTreeAt(const Fd& directory, const std::string& name) {
  TRY(const struct stat above, statAt(directory, "", AT_EMPTY_PATH));
  return removeBelow(directory, name, name, above.st_dev);
}

Result<void> rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    return Error::fromErrno(errno, fmt::format("rename '{}' to '{}'", from, to));
  }
  return {};
}

Result<void> symlinkAt(const std::string& target, const Fd& directory, const std::string& path) {
  if (::symlinkat(target.c_str(), directory.raw(), path.c_str()) != 0) {
    return Error::fromErrno(errno, fmt::format("make symlink '{}'", path));
  }
  return {};
}

Result<std::string> readLinkAt(const Fd& directory, const std::string& path) {
  char target[4096];
  const ssize_t count = ::readlinkat(directory.raw(), path.c_str(), target, sizeof target);
  if (count < 0) return Error::fromErrno(errno, fmt::format("read link '{}'", path));
  return std::string(target, static_cast<std::size_t>(count));
}

Result<struct stat> statAt(const Fd& directory, const std::string& path, int flags) {
  struct stat status{};
  if (::fstatat(directory.raw(), path.c_str(), &status, flags) != 0) {
    return Error::fromErrno(errno, fmt::format("stat '{}'", path));
  }
  return status;
}

bool exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

Result<std::vector<std::string>> listDirectory(const std::string& path) {
  TRY(Fd directory, open(path, O_RDONLY | O_DIRECTORY));
  return namesIn(std::move(directory), path);
}

Result<std::vector<std::string>> listDirectory(const Fd& directory) {
  // Opened anew, because the position in the directory belongs to the open file.
  TRY(Fd own, openAt(directory, ".", O_RDONLY | O_DIRECTORY));
  return namesIn(std::move(own), ".");
}

}  // namespace gantry::kernel
