// Wake-ups between coroutines. Both kinds may be copied; copies are the same event. Destroying the last copy while
// somebody waits is harmless: the waiter holds one.
#pragma once

#include <cstdint>
#include <memory>

#include "async/task.hpp"

namespace gantry::async {

// Happens once, and is remembered: wait() completes at once after set(). Only used on the loop's thread.
class Event {
 public:
  explicit Event(Executor executor);

  void set() const;
  bool isSet() const;
  // Fails with Cancelled only, and not when the event has happened.
  Task<Result<void>> wait() const;

 private:
  struct State;
  static Task<Result<void>> waitOn(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

// Happens again and again; each occurrence has a number, so that none between two looks is missed:
//
//   std::uint64_t seen = 0;
//   while (true) {
//     look();
//     CO_TRY(seen, co_await changes.after(seen));
//   }
//
// Only used on the loop's thread.
class Notification {
 public:
  explicit Notification(Executor executor);

  void notify() const;
  // How often it happened so far.
  std::uint64_t count() const;
  // Completes with count() once that is above `seen`. Fails with Cancelled only.
  Task<Result<std::uint64_t>> after(std::uint64_t seen) const;

 private:
  struct State;
  static Task<Result<std::uint64_t>> waitAfter(std::shared_ptr<State> state, std::uint64_t seen);
  std::shared_ptr<State> state_;
};

}  // namespace gantry::async
