// Copying what a directory holds, for a tmpfs with "tmpcopyup".
#pragma once

#include "base/result.hpp"
#include "kernel/fd.hpp"

namespace gantry::runtime {

// Copies the entries below `from` into the empty directory `to`, with modes, owners and times of the entries and of the
// directory itself. Stays on the file system of `from`; devices, sockets and fifos become nodes of the same kind.
Result<void> copyTree(const kernel::Fd& from, const kernel::Fd& to);

}  // namespace gantry::runtime
