// The container's terminal: a pseudo-terminal of its own devpts, whose master goes to the caller (runtime-spec,
// config.md, "terminal") and whose other end becomes /dev/console and the process's standard input, output and error.
#pragma once

#include "base/result.hpp"
#include "kernel/fd.hpp"
#include "oci/spec.hpp"
#include "runtime/root_directory.hpp"

namespace gantry::runtime {

struct Console {
  kernel::Fd master;
  kernel::Fd terminal;
};

// Opens a new pseudo-terminal in the devpts mounted at /dev/pts below `root`; what the container put in that file
// system's place, or on top of its ptmx, is refused.
Result<Console> openConsole(const RootDirectory& root, const oci::Process& process);

// Binds the terminal onto /dev/console.
Result<void> mountConsole(const RootDirectory& root, const kernel::Fd& terminal);

// Sends the master over the connected console socket.
Result<void> sendConsole(const kernel::Fd& socket, const kernel::Fd& master);

// Standard input, output and error become the terminal, which controls the session. The caller is a session leader.
Result<void> useTerminal(const kernel::Fd& terminal);

}  // namespace gantry::runtime
