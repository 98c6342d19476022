#include "kernel/poll.hpp"

#include <poll.h>

#include <cerrno>

namespace gantry::kernel {

Result<std::vector<bool>> waitReadable(const std::vector<const Fd*>& files,
                                       std::optional<std::chrono::milliseconds> limit, const Fd* roomIn) {
  std::vector<pollfd> waits;
  for (const Fd* file : files) waits.push_back({file == nullptr ? -1 : file->raw(), POLLIN, 0});
  if (roomIn != nullptr) waits.push_back({roomIn->raw(), POLLOUT, 0});
  const int timeout = limit ? static_cast<int>(limit->count()) : -1;
  while (::poll(waits.data(), waits.size(), timeout) < 0) {
    if (errno != EINTR) return Error::fromErrno(errno, "poll");
  }
  std::vector<bool> ready;
  for (std::size_t index = 0; index < files.size(); ++index) ready.push_back(waits[index].revents != 0);
  return ready;
}

Result<bool> isReady(const Fd& file, Readiness wanted) {
  const short events = wanted == Readiness::ToRead ? POLLIN : POLLOUT;
  pollfd wait{file.raw(), events, 0};
  while (::poll(&wait, 1, 0) < 0) {
    if (errno != EINTR) return Error::fromErrno(errno, "poll");
  }
  return wait.revents != 0;
}

}  // namespace gantry::kernel
