// For async/*.cpp only: what all waits are made of.
#pragma once

#include <boost/asio/steady_timer.hpp>

#include "async/task.hpp"

namespace gantry::async {

using Timer = boost::asio::steady_timer;

// A timer that never comes due: cancelling it wakes every coroutine that waits for it, at the loop's next turn.
inline Timer wakeUp(const Executor& executor) {
  return Timer(executor, Timer::time_point::max());
}

// Completes when `timer` is due or cancelled, or this coroutine is; the caller looks which. `timer` must outlive it.
Task<> waitFor(Timer* timer);
// The same, but this coroutine's own cancellation does not end it.
Task<> waitShielded(Timer* timer);

// What a wait that was cancelled returns.
Error cancelledError();

}  // namespace gantry::async
