// Driving the loop: from main() and from tests.
#pragma once

#include <initializer_list>
#include <memory>
#include <optional>

#include "async/scope.hpp"
#include "async/task.hpp"

namespace gantry::async {

namespace detail {
void driveUntilDone(Loop& loop, Task<> work);
}

// Runs `loop` until `work` has ended, and returns what it returned. Ignores SIGPIPE in this process, so that writing to
// a closed pipe is an error; kernel::spawn gives children the default back.
template <typename T>
T runUntilDone(Loop& loop, Task<T> work) {
  auto result = std::make_shared<std::optional<T>>();
  detail::driveUntilDone(loop, detail::keep(std::move(work), result));
  return std::move(**result);
}
inline void runUntilDone(Loop& loop, Task<> work) {
  detail::driveUntilDone(loop, std::move(work));
}

// Signals sent to this process, one after the other. Only one object at a time may ask for a given signal.
class Signals {
 public:
  Signals(Executor executor, std::initializer_list<int> numbers);
  Signals(Signals&&) noexcept;
  Signals& operator=(Signals&&) noexcept;
  ~Signals();

  // The next one's number. Fails with Cancelled only.
  Task<Result<int>> next() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace gantry::async
