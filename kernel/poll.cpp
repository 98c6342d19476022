#include "kernel/poll.hpp"

#include <poll.h>

#include <cerrno>

namespace gantry::kernel {

Result<std::vector<bool>> waitReadable(const std::vector<const Fd*>& files,
                                       std::optional<std::chrono::milliseconds> limit) {
  std::vector<pollfd> waits;
  for (const Fd* file : files) waits.push_back({file == nullptr ? -1 : file->raw(), POLLIN, 0});
  const int timeout = limit ? static_cast<int>(limit->count()) : -1;
  while (::poll(waits.data(), waits.size(), timeout) < 0) {
    if (errno != EINTR) return Error::fromErrno(errno, "poll");
  }
  std::vector<bool> ready;
  for (const pollfd& wait : waits) ready.push_back(wait.revents != 0);
  return ready;
}

}  // namespace gantry::kernel
