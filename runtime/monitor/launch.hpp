// Starting the OCI runtime, and the streams that its container gets.
#pragma once

#include <sys/types.h>

#include "runtime/monitor/options.hpp"

namespace gantry::monitor {

// Our ends of the container's streams; non-blocking, -1 for what there is not. With a terminal, `input` and `output`
// stay -1 until the runtime has sent the terminal, and `error` carries what the runtime itself has to say.
struct Streams {
  int input = -1;
  int output = -1;
  int error = -1;
};

struct Launch {
  pid_t runtime = -1;
  Streams streams;
  // Listens for the runtime's connection that brings the terminal; -1 without one.
  int consoleSocket = -1;
};

// Names in the monitor's directory, beside those of the protocol.
inline constexpr const char* kPidFile = "init.pid";
inline constexpr const char* kConsoleSocket = "console.sock";

// Starts `runtime create` or `runtime exec`. The runtime is killed when the monitor dies, what it creates is not.
// `directory` is the monitor's, open. False sets errno.
bool launchRuntime(const Options& options, int directory, Launch& launch);

// Takes the terminal's master side from the runtime that connects to `consoleSocket` and closes the socket. -1 when it
// sent none.
int receiveTerminal(int consoleSocket, int directory);

}  // namespace gantry::monitor
