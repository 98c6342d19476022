#include "kernel/inotify.hpp"

#include <sys/inotify.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "kernel/io.hpp"

namespace gantry::kernel {

Result<Fd> inotifyOpen() {
  const int raw = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (raw < 0) return Error::fromErrno(errno, "open inotify");
  return Fd(raw);
}

Result<int> inotifyAdd(const Fd& inotify, const std::string& path, std::uint32_t mask) {
  const int watch = ::inotify_add_watch(inotify.raw(), path.c_str(), mask);
  if (watch < 0) return Error::fromErrno(errno, fmt::format("watch '{}'", path));
  return watch;
}

void inotifyRemove(const Fd& inotify, int watch) {
  ::inotify_rm_watch(inotify.raw(), watch);
}

Result<std::vector<FileChange>> inotifyRead(const Fd& inotify) {
  TRY(const auto data, readSome(inotify, 64U << 10U));
  std::vector<FileChange> changes;
  if (!data) return changes;
  std::size_t offset = 0;
  while (offset + sizeof(inotify_event) <= data->size()) {
    inotify_event event;
    std::memcpy(&event, data->data() + offset, sizeof event);
    offset += sizeof event;
    FileChange change{event.wd, event.mask, {}};
    // The name is padded with zero bytes up to event.len.
    if (event.len > 0) change.name = std::string(data->data() + offset, ::strnlen(data->data() + offset, event.len));
    offset += event.len;
    changes.push_back(std::move(change));
  }
  return changes;
}

}  // namespace gantry::kernel
