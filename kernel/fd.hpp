// A file descriptor with one owner.
#pragma once

#include <utility>
#include <vector>

#include "base/result.hpp"

namespace gantry::kernel {

// Closes on destruction, and closes the old descriptor on assignment. Every wrapper in kernel/ adds O_CLOEXEC.
class Fd {
 public:
  Fd() = default;
  // Takes ownership of a raw descriptor; a negative one means "none".
  explicit Fd(int raw) : raw_(raw) {}
  Fd(Fd&& other) noexcept : raw_(std::exchange(other.raw_, -1)) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd();

  // The descriptor for a system call; still owned here. -1 when empty.
  int raw() const { return raw_; }
  explicit operator bool() const { return raw_ >= 0; }
  // Gives up ownership.
  [[nodiscard]] int release() { return std::exchange(raw_, -1); }
  void reset();

 private:
  int raw_ = -1;
};

// dup with O_CLOEXEC (fcntl F_DUPFD_CLOEXEC).
Result<Fd> duplicate(const Fd& fd);
// The same for a descriptor that belongs to nobody here, as 0, 1 and 2.
Result<Fd> duplicate(int raw);

// Closes every descriptor of this process that is not in `keep` (close_range, Linux 5.9): for a forked child that goes
// on with its parent's program and never returns to the owners of the others.
void closeAllBut(std::vector<int> keep);

struct Pipe {
  Fd read;
  Fd write;
};
// pipe2 with O_CLOEXEC; `flags` may add O_NONBLOCK or O_DIRECT.
Result<Pipe> pipe(int flags = 0);

// Gives a pipe the largest buffer an unprivileged user may have (1 MiB, pipe(7)), if it can be had.
void growPipe(const Fd& end);

struct SocketPair {
  Fd first;
  Fd second;
};
// socketpair(AF_UNIX, type | SOCK_CLOEXEC).
Result<SocketPair> socketPair(int type);

}  // namespace gantry::kernel
