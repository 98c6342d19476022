// Wake-ups when a file changes, over inotify.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "async/descriptor.hpp"
#include "kernel/inotify.hpp"

namespace gantry::async {

// Watches files and directories. Outlives its pending next(). Only used on the loop's thread.
class FileWatch {
 public:
  static Result<FileWatch> open(Executor executor);

  // `mask` of inotify(7), e.g. IN_MODIFY. The number names the watch in next().
  Result<int> add(const std::string& path, std::uint32_t mask) const;
  void remove(int watch) const;
  // What happened since the last call; at least one change.
  Task<Result<std::vector<kernel::FileChange>>> next() const;

 private:
  explicit FileWatch(Descriptor inotify) : inotify_(std::move(inotify)) {}

  Descriptor inotify_;
};

}  // namespace gantry::async
