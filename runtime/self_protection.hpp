// Keeping containers from overwriting the runtime that runs them.
//
// A container can get hold of /proc/<pid>/exe of a process that is about to become its program: by racing with exec, or
// by naming "/proc/self/exe" as the interpreter of a script (CVE-2019-5736). If that file is the installed binary, root
// in the container can open it for writing once nobody runs it any more.
#pragma once

#include "base/result.hpp"

namespace gantry::runtime {

// Runs this program again from a read-only mount that exists only for it, so that opening it for writing is EROFS;
// where mounting is not allowed, from a sealed copy in memory. Returns when that has happened already, or failed.
Result<void> runFromProtectedCopy(char** arguments);

}  // namespace gantry::runtime
