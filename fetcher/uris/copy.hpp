// Copies of whole files, by the kernel where it can.
#pragma once

#include <functional>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "kernel/fd.hpp"

namespace gantry::fetcher {

// Everything from `from`'s position to its end, a pipe's too, to `to`'s position; returns how much that was. `copied`
// is told the count after each piece, and ends the copy with its error.
Result<Bytes> copyAll(const kernel::Fd& from, const kernel::Fd& to, const std::function<Result<void>(Bytes)>& copied);

}  // namespace gantry::fetcher
