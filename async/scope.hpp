// Structured concurrency: every coroutine that runs beside another one belongs to a Scope.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "async/task.hpp"
#include "async/time.hpp"

namespace gantry::async {

// A set of coroutines that are waited for, or cancelled, together. Destroying a scope with live children is a bug:
// await join() on every way out, after cancel() where they would not end by themselves. One coroutine at a time may
// join. Only used on the loop's thread.
//
//   async::Scope scope(executor);
//   scope.spawn(serve(listener));
//   …
//   scope.cancel();
//   co_await scope.join();
class Scope {
 public:
  explicit Scope(Executor executor);
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  ~Scope();

  // Starts `child` at the loop's next turn, never inside this call. A child of a cancelled scope starts cancelled. An
  // exception that leaves a child is a bug and aborts.
  void spawn(Task<> child);
  // Cancels all children, the ones spawned later too. Returns at once; join() waits for them to end.
  void cancel();
  bool isCancelled() const;
  // Completes when no child is left. When the awaiting coroutine is cancelled meanwhile, so are the children, and this
  // goes on waiting until they have ended.
  Task<> join();
  // As join(), but cancels the children after `limit`. True when they had ended by themselves.
  Task<bool> joinWithin(Duration limit);
  // As join(), but a cancelled awaiting coroutine leaves the children alone.
  Task<> joinShielded();
  std::size_t live() const;
  const Executor& executor() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

namespace detail {

template <typename T>
Task<> keep(Task<T> work, std::shared_ptr<std::optional<T>> into) {
  T value = co_await std::move(work);
  into->emplace(std::move(value));
}
Task<bool> finishWithin(Duration limit, Task<> work);
Task<> finishShielded(Task<> work);
Task<> finishAll(std::vector<Task<>> work);

}  // namespace detail

// Runs `work` and cancels it when it has not ended after `limit`; Timeout then, unless it succeeded all the same.
template <typename T>
Task<Result<T>> withTimeout(Duration limit, Task<Result<T>> work) {
  auto result = std::make_shared<std::optional<Result<T>>>();
  Task<> kept = detail::keep(std::move(work), result);
  const bool inTime = co_await detail::finishWithin(limit, std::move(kept));
  if (!inTime && !(**result)) {
    const bool outside = co_await isCancelled();
    if (!outside) co_return Error(Code::Timeout, "not done after " + toString(limit));
  }
  co_return std::move(**result);
}

// Runs `work` to its end even when the awaiting coroutine was or is cancelled: for clean-up.
template <typename T>
Task<T> shield(Task<T> work) {
  auto result = std::make_shared<std::optional<T>>();
  Task<> kept = detail::keep(std::move(work), result);
  co_await detail::finishShielded(std::move(kept));
  co_return std::move(**result);
}
inline Task<> shield(Task<> work) {
  return detail::finishShielded(std::move(work));
}

// Runs all of `work` side by side and waits for every one; the results are in the order of the tasks.
template <typename T>
Task<std::vector<T>> all(std::vector<Task<T>> work) {
  std::vector<std::shared_ptr<std::optional<T>>> results;
  std::vector<Task<>> kept;
  for (Task<T>& task : work) {
    results.push_back(std::make_shared<std::optional<T>>());
    kept.push_back(detail::keep(std::move(task), results.back()));
  }
  co_await detail::finishAll(std::move(kept));
  std::vector<T> values;
  for (auto& result : results) values.push_back(std::move(**result));
  co_return values;
}

}  // namespace gantry::async
