#include "async/file_watch.hpp"

namespace gantry::async {

Result<FileWatch> FileWatch::open(Executor executor) {
  TRY(kernel::Fd inotify, kernel::inotifyOpen());
  TRY(Descriptor descriptor, Descriptor::adopt(std::move(executor), std::move(inotify)));
  return FileWatch(std::move(descriptor));
}

Result<int> FileWatch::add(const std::string& path, std::uint32_t mask) const {
  return kernel::inotifyAdd(inotify_.fd(), path, mask);
}

void FileWatch::remove(int watch) const {
  kernel::inotifyRemove(inotify_.fd(), watch);
}

Task<Result<std::vector<kernel::FileChange>>> FileWatch::next() const {
  while (true) {
    CO_TRY_VOID(co_await inotify_.readable());
    CO_TRY(auto changes, kernel::inotifyRead(inotify_.fd()));
    if (!changes.empty()) co_return changes;
  }
}

}  // namespace gantry::async
