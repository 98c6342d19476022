// inotify(7).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "kernel/fd.hpp"

namespace gantry::kernel {

struct FileChange {
  // Of inotifyAdd(); -1 with IN_Q_OVERFLOW: changes were lost.
  int watch = -1;
  std::uint32_t mask = 0;
  // For a watched directory: the entry.
  std::string name;
};

// Close-on-exec and non-blocking.
Result<Fd> inotifyOpen();
Result<int> inotifyAdd(const Fd& inotify, const std::string& path, std::uint32_t mask);
// A watch that is gone already is no error.
void inotifyRemove(const Fd& inotify, int watch);
// What has happened; nothing when that is nothing.
Result<std::vector<FileChange>> inotifyRead(const Fd& inotify);

}  // namespace gantry::kernel
