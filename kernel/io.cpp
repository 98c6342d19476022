#include "kernel/io.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cerrno>

namespace gantry::kernel {

Result<void> setNonBlocking(const Fd& fd) {
  const int flags = ::fcntl(fd.raw(), F_GETFL);
  if (flags < 0 || ::fcntl(fd.raw(), F_SETFL, flags | O_NONBLOCK) < 0) {
    return Error::fromErrno(errno, "make a descriptor non-blocking");
  }
  return {};
}

Result<std::optional<std::string>> readSome(const Fd& fd, std::size_t limit) {
  std::string data(limit, '\0');
  ssize_t count = 0;
  do {
    count = ::read(fd.raw(), data.data(), data.size());
  } while (count < 0 && errno == EINTR);
  if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return std::optional<std::string>();
  if (count < 0 && errno == EIO && ::isatty(fd.raw()) == 1) count = 0;
  if (count < 0) return Error::fromErrno(errno, "read");
  data.resize(static_cast<std::size_t>(count));
  return std::optional<std::string>(std::move(data));
}

Result<std::string> readFrom(const Fd& file, std::uint64_t offset, std::size_t limit) {
  std::string data;
  std::size_t filled = 0;
  data.resize(limit);
  while (filled < limit) {
    const ssize_t count =
        ::pread(file.raw(), data.data() + filled, limit - filled, static_cast<off_t>(offset + filled));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Error::fromErrno(errno, "pread");
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  data.resize(filled);
  return data;
}

Result<std::optional<std::size_t>> writeSome(const Fd& fd, std::string_view data) {
  ssize_t count = 0;
  do {
    count = ::send(fd.raw(), data.data(), data.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == ENOTSOCK) count = ::write(fd.raw(), data.data(), data.size());
  } while (count < 0 && errno == EINTR);
  if (count >= 0) return std::optional<std::size_t>(static_cast<std::size_t>(count));
  if (errno == EAGAIN || errno == EWOULDBLOCK) return std::optional<std::size_t>();
  if (errno == EPIPE || errno == ECONNRESET) return Error(Code::Unavailable, "write: the other end is gone");
  return Error::fromErrno(errno, "write");
}

}  // namespace gantry::kernel
