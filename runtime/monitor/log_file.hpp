// One output stream's log: a file that is appended to, and rotated before it grows beyond its limit.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace gantry::monitor {

// The files stand in a directory that the container may be able to write (its sandbox). So the directory is opened
// once, before the container exists, names are looked up in it without following symlinks, and what the container puts
// in a log file's place is removed, never opened.
//
// Nothing is lost by rotation. What the disk does not take (full, quota, I/O error) is dropped and counted rather than
// waited for; the count is written as a line of its own as soon as something can be written again.
class LogFile {
 public:
  LogFile() = default;
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;
  ~LogFile();

  // Opens or makes `path` (kept, not copied); the bytes it already holds count. `limit` 0: no rotation. `files` is the
  // number kept, the current one included: path, path.1, … False sets errno.
  bool open(const char* path, std::uint64_t limit, std::uint64_t files);
  // A file ends at a line's end where one is in reach, and never grows beyond the limit.
  void write(std::string_view data);

  // Bytes dropped since the last successful write; and the errno that began it.
  std::uint64_t lost() const { return lost_; }
  int lostErrno() const { return lostErrno_; }

 private:
  int openFresh() const;
  void rotate();
  void append(std::string_view data);
  std::string_view put(std::string_view data);

  int directory_ = -1;
  const char* name_ = nullptr;
  int file_ = -1;
  std::uint64_t size_ = 0;
  std::uint64_t limit_ = 0;
  std::uint64_t files_ = 1;
  std::uint64_t lost_ = 0;
  int lostErrno_ = 0;
};

}  // namespace gantry::monitor
