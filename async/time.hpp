// Durations and waiting for time to pass. withTimeout() is in scope.hpp.
#pragma once

#include <chrono>
#include <string>

#include "async/task.hpp"

namespace gantry::async {

using Duration = std::chrono::nanoseconds;

// Fails with Cancelled only.
Task<Result<void>> sleep(Duration duration);
// Lets everything else that is ready run first.
Task<> yield();
// Waits until it is cancelled: for coroutines that by default have nothing to report.
Task<> never();

// "5s", "1.5s", "20ms": for messages.
std::string toString(Duration duration);

}  // namespace gantry::async
