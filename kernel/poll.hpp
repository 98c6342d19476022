// poll(2), for programs without an event loop and for asking without waiting.
#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "base/result.hpp"
#include "kernel/fd.hpp"

namespace gantry::kernel {

// Waits until at least one of `files` can be read without blocking, or has reached its end; one answer per file, all
// false when `limit` passed. Null entries are never ready. `roomIn`, unless it is null, ends the wait too as soon as
// something can be written to it.
Result<std::vector<bool>> waitReadable(const std::vector<const Fd*>& files,
                                       std::optional<std::chrono::milliseconds> limit = {}, const Fd* roomIn = nullptr);

enum class Readiness { ToRead, ToWrite };
// Whether that would not block now. The end, and an error that reading or writing would tell, count too.
Result<bool> isReady(const Fd& file, Readiness wanted);

}  // namespace gantry::kernel
