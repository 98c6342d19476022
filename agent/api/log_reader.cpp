#include "agent/api/log_reader.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <vector>

#include "agent/api/sandbox_files.hpp"
#include "kernel/file.hpp"
#include "kernel/io.hpp"

namespace gantry::agent::api {
namespace {

// How much of a file is looked at in one go when counting lines from its end.
constexpr std::uint64_t kBlock = 64U << 10U;

// The offset in `file` after which its last `lines` lines stand; `lines` becomes what is still missing.
Result<std::uint64_t> startOfLastLines(const kernel::Fd& file, std::uint64_t size, std::size_t& lines) {
  std::uint64_t end = size;
  bool isLast = true;
  while (end > 0) {
    const std::uint64_t start = end > kBlock ? end - kBlock : 0;
    TRY(const std::string block, kernel::readFrom(file, start, static_cast<std::size_t>(end - start)));
    for (std::size_t i = block.size(); i > 0; --i) {
      if (block[i - 1] != '\n') {
        isLast = false;
        continue;
      }
      // The line feed at the very end belongs to the line before it.
      if (isLast) {
        isLast = false;
        continue;
      }
      if (--lines == 0) return start + i;
    }
    end = start;
  }
  if (size > 0 && lines > 0) --lines;
  return 0;
}

}  // namespace

std::string LogReader::fileName(unsigned number) const {
  return number == 0 ? name_ : name_ + "." + std::to_string(number);
}

Result<std::map<unsigned, ino_t>> LogReader::files() const {
  std::map<unsigned, ino_t> found;
  const auto names = kernel::listDirectory("/proc/self/fd/" + std::to_string(directory_->raw()));
  // The container was removed; what is open can still be read.
  if (!names && names.error().code() == Code::NotFound) return found;
  if (!names) return names.error();
  for (const std::string& name : *names) {
    if (!name.starts_with(name_)) continue;
    unsigned number = 0;
    if (name.size() > name_.size()) {
      const char* start = name.data() + name_.size() + 1;
      const char* end = name.data() + name.size();
      const auto [stop, error] = std::from_chars(start, end, number);
      if (name[name_.size()] != '.' || error != std::errc() || stop != end || number == 0) continue;
    }
    const auto stat = kernel::statAt(*directory_, name, AT_SYMLINK_NOFOLLOW);
    if (stat && S_ISREG(stat->st_mode)) found[number] = stat->st_ino;
  }
  return found;
}

Result<bool> LogReader::openFile(unsigned number) {
  auto file = openBelow(*directory_, fileName(number), S_IFREG);
  if (!file) {
    if (file.error().code() == Code::NotFound) return false;
    return std::move(file).error();
  }
  TRY(const struct stat stat, kernel::statAt(*file, "", AT_EMPTY_PATH));
  file_ = *std::move(file);
  inode_ = stat.st_ino;
  offset_ = 0;
  successor_ = 0;
  if (number > 0) {
    const auto after = kernel::statAt(*directory_, fileName(number - 1), AT_SYMLINK_NOFOLLOW);
    if (after) successor_ = after->st_ino;
  }
  return true;
}

Result<std::optional<LogReader>> LogReader::opened(unsigned number) const {
  LogReader reader(*directory_, name_);
  TRY(const bool isThere, reader.openFile(number));
  if (!isThere) return std::optional<LogReader>();
  return std::optional<LogReader>(std::move(reader));
}

Result<std::optional<LogReader>> LogReader::next() const {
  while (true) {
    TRY(const auto there, files());
    if (there.empty()) return std::optional<LogReader>();
    const unsigned oldest = there.rbegin()->first;
    if (!file_) return opened(oldest);
    const auto own =
        std::find_if(there.begin(), there.end(), [this](const auto& file) { return file.second == inode_; });
    if (own == there.end()) {
      // Between two names, or deleted; then what is oldest now is next.
      TRY(const struct stat stat, kernel::statAt(file_, "", AT_EMPTY_PATH));
      if (stat.st_nlink > 0) return std::optional<LogReader>();
      TRY(auto later, opened(oldest));
      if (later) later->lost_ = later->inode_ != successor_;
      return later;
    }
    const unsigned number = own->first;
    if (number == 0) return std::optional<LogReader>();
    TRY(auto newer, opened(number - 1));
    // A rotation may be going on. When our file still has its number now, then what was opened before is the one after
    // it, since the monitor renames from the highest number down.
    const auto again = kernel::statAt(*directory_, fileName(number), AT_SYMLINK_NOFOLLOW);
    if (again && again->st_ino == inode_) return newer;
  }
}

Result<std::string> LogReader::read(std::size_t limit) {
  while (true) {
    if (file_) {
      TRY(std::string data, readHere(limit));
      if (!data.empty()) return data;
    }
    TRY(auto newer, next());
    if (!newer) return std::string();
    if (file_) {
      // What was appended between that read and the rotation.
      TRY(std::string data, readHere(limit));
      if (!data.empty()) return data;
    }
    newer->lost_ = newer->lost_ || lost_;
    *this = std::move(*newer);
  }
}

Result<std::uint64_t> LogReader::available() const {
  std::uint64_t bytes = 0;
  unsigned newer = std::numeric_limits<unsigned>::max();
  TRY(const auto there, files());
  if (file_) {
    TRY(const struct stat stat, kernel::statAt(file_, "", AT_EMPTY_PATH));
    const auto size = static_cast<std::uint64_t>(stat.st_size);
    bytes = size - std::min(size, offset_);
    const auto own =
        std::find_if(there.begin(), there.end(), [this](const auto& file) { return file.second == inode_; });
    if (own != there.end()) newer = own->first;
  }
  for (auto file = there.begin(); file != there.end() && file->first < newer; ++file) {
    const auto stat = kernel::statAt(*directory_, fileName(file->first), AT_SYMLINK_NOFOLLOW);
    if (stat) bytes += static_cast<std::uint64_t>(stat->st_size);
  }
  return bytes;
}

Result<std::string> LogReader::readHere(std::size_t limit) {
  TRY(std::string data, kernel::readFrom(file_, offset_, limit));
  offset_ += data.size();
  return data;
}

Result<void> LogReader::seekToTail(std::size_t lines) {
  if (lines == 0) {
    TRY(const bool isThere, openFile(0));
    if (!isThere) return {};
    TRY(const struct stat stat, kernel::statAt(file_, "", AT_EMPTY_PATH));
    offset_ = static_cast<std::uint64_t>(stat.st_size);
    return {};
  }
  TRY(const auto there, files());
  for (const auto& [number, inode] : there) {
    TRY(const bool isThere, openFile(number));
    if (!isThere) continue;
    TRY(const struct stat stat, kernel::statAt(file_, "", AT_EMPTY_PATH));
    TRY(offset_, startOfLastLines(file_, static_cast<std::uint64_t>(stat.st_size), lines));
    if (lines == 0) return {};
  }
  return {};
}

}  // namespace gantry::agent::api
