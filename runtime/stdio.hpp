// Standard input, output and error of a process that is about to become the user's program.
#pragma once

#include <sys/types.h>

#include "base/result.hpp"

namespace gantry::runtime {

// Opens /dev/null where standard input, output or error is closed: otherwise the next descriptor of ours would take its
// number, and be overwritten by the container's terminal or be taken for its input.
Result<void> completeStdio();

// Lets the process's user open /dev/stdout and its like again: pipes and terminals that belong to somebody else become
// `uid`'s. What cannot change its owner (read-only, another user namespace's) stays as it is; /dev/null too.
Result<void> giveStdioTo(uid_t uid);

}  // namespace gantry::runtime
