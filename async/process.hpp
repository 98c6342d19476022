// Child processes: waiting for their end, and running a program to collect what it says.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "async/task.hpp"
#include "async/time.hpp"
#include "kernel/process.hpp"

namespace gantry::async {

// Reaps a child of ours: its raw wait status, as waitpid spells it. When cancelled the child goes on and is still to be
// waited for.
Task<Result<int>> exited(std::shared_ptr<kernel::Process> child);
// Completes when any process, ours or not, has ended. The pidfd is duplicated at once: `process` need not live on.
Task<Result<void>> ended(const kernel::Process& process);

struct RunOptions {
  // Standard input, then its end.
  std::string input;
  // Standard output above this ends the program: Exhausted.
  std::size_t outputLimit = 4U << 20U;
  // Of standard error the first part is kept and the rest dropped.
  std::size_t errorLimit = 64U << 10U;
  // The program is killed then: Timeout.
  std::optional<Duration> deadline;
  // Gets each line of standard output without its end, as it comes; Output::out stays empty and outputLimit bounds one
  // line. Must not throw; runs on the loop's thread.
  std::function<void(std::string_view line)> onLine;
  // Likewise for standard error.
  std::function<void(std::string_view line)> onErrorLine;
};

struct Output {
  // Raw wait status.
  int status = 0;
  std::string out;
  std::string err;

  bool succeeded() const { return status == 0; }
};

// Starts `command` with pipes as its standard streams, feeds and reads it, and waits for its end; `command.descriptors`
// may name further descriptors (3 and up). A non-zero status is not an error here. When cancelled the program is
// killed and reaped first. Processes that it leaves behind with its pipes open are not waited for.
Task<Result<Output>> run(kernel::Command command, RunOptions options);

}  // namespace gantry::async
