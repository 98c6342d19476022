#include "runtime/monitor/log_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include <algorithm>

#include "runtime/monitor/text.hpp"

namespace gantry::monitor {
namespace {

// Longer than any name can be, with ".1000" behind it.
using Name = Text<300>;

Name numbered(const char* name, std::uint64_t number) {
  Name text;
  text << name;
  if (number > 0) text << "." << number;
  return text;
}

}  // namespace

LogFile::~LogFile() {
  if (file_ >= 0) ::close(file_);
  if (directory_ >= 0) ::close(directory_);
}

bool LogFile::open(const char* path, std::uint64_t limit, std::uint64_t files) {
  const char* const slash = std::strrchr(path, '/');
  name_ = slash == nullptr ? path : slash + 1;
  Text<4096> parent;
  parent << (slash == nullptr ? std::string_view(".")
                              : std::string_view(path, static_cast<std::size_t>(slash - path) + 1));
  directory_ = ::open(parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (directory_ < 0) return false;
  file_ = openFresh();
  if (file_ < 0) return false;
  struct stat status{};
  if (::fstat(file_, &status) != 0) return false;
  size_ = static_cast<std::uint64_t>(status.st_size);
  limit_ = limit;
  files_ = files;
  return true;
}

// The file of our name: made, or opened when it is a plain file; anything else there is removed first. -1 sets errno.
int LogFile::openFresh() const {
  for (int attempt = 0; attempt < 3; ++attempt) {
    // O_NONBLOCK: a FIFO must not hold us.
    const int file = ::openat(directory_, name_,
                              O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0644);
    struct stat status{};
    if (file >= 0) {
      // More than one link: perhaps another user's file, linked here to be written by us.
      if (::fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink == 1) return file;
      ::close(file);
    } else if (errno != ELOOP && errno != ENXIO && errno != EISDIR) {
      return -1;
    }
    if (::unlinkat(directory_, name_, 0) != 0 && errno == EISDIR) ::unlinkat(directory_, name_, AT_REMOVEDIR);
  }
  errno = EEXIST;
  return -1;
}

// Where a step fails we go on with the file we have: rather too long a file than a lost line.
void LogFile::rotate() {
  size_ = 0;
  if (files_ == 1) {
    if (::ftruncate(file_, 0) != 0) return;
    return;
  }
  for (std::uint64_t number = files_ - 1; number >= 1; --number) {
    const Name from = numbered(name_, number - 1);
    const Name to = numbered(name_, number);
    if (::renameat(directory_, from.c_str(), directory_, to.c_str()) != 0 && errno != ENOENT) return;
  }
  const int fresh = openFresh();
  if (fresh < 0) return;
  ::close(file_);
  file_ = fresh;
}

void LogFile::write(std::string_view data) {
  while (!data.empty()) {
    std::size_t part = data.size();
    if (limit_ != 0) {
      if (size_ >= limit_) rotate();
      const std::uint64_t room = limit_ - size_;
      if (part > room) {
        const std::size_t lineEnd = data.rfind('\n', static_cast<std::size_t>(room) - 1);
        if (lineEnd != std::string_view::npos) {
          part = lineEnd + 1;
        } else if (size_ > 0) {
          rotate();
          continue;
        } else {
          part = static_cast<std::size_t>(room);
        }
      }
    }
    append(data.substr(0, part));
    data.remove_prefix(part);
  }
}

void LogFile::append(std::string_view data) {
  // Counted whether it is written or lost, so that write() makes progress.
  size_ += data.size();
  if (lost_ > 0) {
    Text<200> mark;
    mark << "\n[gantry-monitor: " << lost_ << " bytes of output were lost: " << ::strerrordesc_np(lostErrno_) << "]\n";
    if (!put(mark.view()).empty()) {
      lost_ += data.size();
      return;
    }
    size_ += mark.view().size();
    lost_ = 0;
  }
  const std::string_view rest = put(data);
  lost_ += rest.size();
}

// Returns what could not be written, and sets lostErrno_ then.
std::string_view LogFile::put(std::string_view data) {
  while (!data.empty()) {
    const ssize_t count = TEMP_FAILURE_RETRY(::write(file_, data.data(), data.size()));
    if (count <= 0) {
      lostErrno_ = errno;
      break;
    }
    data.remove_prefix(static_cast<std::size_t>(count));
  }
  return data;
}

}  // namespace gantry::monitor
