#include "kernel/fd.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cerrno>

#include <algorithm>

namespace gantry::kernel {

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    reset();
    raw_ = std::exchange(other.raw_, -1);
  }
  return *this;
}

Fd::~Fd() {
  reset();
}

void Fd::reset() {
  const int saved = errno;
  if (raw_ >= 0) ::close(raw_);
  raw_ = -1;
  errno = saved;
}

void closeAllBut(std::vector<int> keep) {
  std::ranges::sort(keep);
  unsigned first = 0;
  for (const int kept : keep) {
    const auto number = static_cast<unsigned>(kept);
    if (number > first) ::close_range(first, number - 1, 0);
    first = number + 1;
  }
  ::close_range(first, ~0U, 0);
}

Result<Fd> duplicate(const Fd& fd) {
  return duplicate(fd.raw());
}

Result<Fd> duplicate(int raw) {
  const int copy = ::fcntl(raw, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return Error::fromErrno(errno, "duplicate a descriptor");
  return Fd(copy);
}

Result<Pipe> pipe(int flags) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | flags) != 0) return Error::fromErrno(errno, "make a pipe");
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

void growPipe(const Fd& end) {
  constexpr int kLargest = 1 << 20;
  ::fcntl(end.raw(), F_SETPIPE_SZ, kLargest);
}

Result<SocketPair> socketPair(int type) {
  int ends[2];
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) != 0) return Error::fromErrno(errno, "make a socket pair");
  return SocketPair{Fd(ends[0]), Fd(ends[1])};
}

}  // namespace gantry::kernel
