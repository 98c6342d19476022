// Being the parent of a container's process in the foreground: signals go to it, its exit status comes back, and with a
// pseudo-terminal bytes go both ways.
#pragma once

#include "base/result.hpp"
#include "kernel/fd.hpp"
#include "kernel/process.hpp"

namespace gantry::runtime {

class Foreground {
 public:
  // Blocks the signals that will be passed on. Children get them back by kernel::resetSignals().
  static Result<Foreground> prepare();

  // Until the process has ended; gives its exit status, or 128 and the signal that killed it. `terminal` is the master
  // of its pseudo-terminal, or empty.
  Result<int> supervise(kernel::Process& process, kernel::Fd terminal);

 private:
  explicit Foreground(kernel::Fd signals) : signals_(std::move(signals)) {}

  kernel::Fd signals_;
};

}  // namespace gantry::runtime
