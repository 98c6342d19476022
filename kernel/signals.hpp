// Signals as something to read.
#pragma once

#include <optional>
#include <string_view>

#include "base/result.hpp"
#include "kernel/fd.hpp"

namespace gantry::kernel {

// Blocks every signal that can be blocked but those of program errors, and gives a descriptor to read them from
// (signalfd). Not blocking.
Result<Fd> blockSignals();
// The next pending one; nothing when there is none.
Result<std::optional<int>> nextSignal(const Fd& signals);

// "SIGTERM", "term", "15", "RTMIN+3": what command lines call a signal. Nothing for anything else, and for 0.
std::optional<int> parseSignal(std::string_view text);

}  // namespace gantry::kernel
