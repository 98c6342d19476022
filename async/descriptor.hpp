// A file descriptor the loop waits on: pipes, sockets, terminals, pidfds, inotify, eventfd.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "async/task.hpp"
#include "kernel/fd.hpp"

namespace gantry::async {

// Owns the descriptor; closing it (or destroying this) ends every wait on it with Cancelled. One coroutine may read
// while another one writes. Only used on the loop's thread.
class Descriptor {
 public:
  Descriptor() = default;
  // Takes a descriptor of our own and makes it non-blocking. Regular files are allowed; they are always ready.
  static Result<Descriptor> adopt(Executor executor, kernel::Fd fd);
  // For a descriptor whose open file others share (a terminal, inherited standard streams): O_NONBLOCK is left alone,
  // and each read or write waits for readiness first. A write may then still block when the other side is slow.
  static Result<Descriptor> share(Executor executor, kernel::Fd fd);
  Descriptor(Descriptor&& other) noexcept = default;
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();

  explicit operator bool() const { return state_ != nullptr; }
  // Still owned here; for system calls after readable() or writable().
  const kernel::Fd& fd() const;
  void close();

  // Fail with Cancelled when cancelled or closed.
  Task<Result<void>> readable() const;
  Task<Result<void>> writable() const;
  // 1 to `limit` bytes, as soon as there are any; empty at the end. A terminal whose other side is gone is at its end.
  Task<Result<std::string>> read(std::size_t limit) const;
  // What can be read without waiting, up to `limit`; empty when there is nothing.
  Result<std::string> readNow(std::size_t limit) const;
  // All of `data`.
  Task<Result<void>> write(std::string data) const;

  struct State;

 private:
  explicit Descriptor(std::shared_ptr<State> state) : state_(std::move(state)) {}

  std::shared_ptr<State> state_;
};

}  // namespace gantry::async
