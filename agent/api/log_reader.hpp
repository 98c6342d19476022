// One stream of a container's log, read on while its monitor appends to the file and rotates it.
//
// The current file is `<name>`, older ones are `<name>.1`, `<name>.2` … (1 is the newest of them). The monitor renames
// from the highest number down and then makes a new current file; nothing is appended to a file that was renamed.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/result.hpp"
#include "kernel/fd.hpp"

namespace gantry::agent::api {

// Starts with the oldest file there is, and misses nothing unless the monitor deletes a file that was not begun yet;
// tookLoss() tells of that.
// Errors are real ones: a file or directory that is not there (yet) is an empty read. A value that owns descriptors.
class LogReader {
 public:
  // `directory` is the sandbox, opened with O_PATH; it stays the caller's and must outlive this.
  LogReader(const kernel::Fd& directory, std::string name) : directory_(&directory), name_(std::move(name)) {}

  // What comes next, at most `limit` bytes; empty when there is no more for now.
  Result<std::string> read(std::size_t limit);

  // Whether files were deleted unread before what read() gave last; true once for each such place. It may be a false
  // alarm when the file that was read was the current one and vanished before anybody looked.
  bool tookLoss() { return std::exchange(lost_, false); }

  // How many bytes read() has still to give of what is there now.
  Result<std::uint64_t> available() const;

  // Goes to the start of the last `lines` lines of what is there now.
  Result<void> seekToTail(std::size_t lines);

 private:
  // File numbers (0 is the current one) of the files there are.
  Result<std::map<unsigned, ino_t>> files() const;
  Result<bool> openFile(unsigned number);
  Result<std::optional<LogReader>> opened(unsigned number) const;
  // A reader at the start of the file after this one; nothing when there is none yet.
  Result<std::optional<LogReader>> next() const;
  Result<std::string> readHere(std::size_t limit);
  std::string fileName(unsigned number) const;

  const kernel::Fd* directory_;
  std::string name_;
  kernel::Fd file_;
  ino_t inode_ = 0;
  std::uint64_t offset_ = 0;
  // The file after ours; 0 while ours is the current one.
  ino_t successor_ = 0;
  bool lost_ = false;
};

}  // namespace gantry::agent::api
