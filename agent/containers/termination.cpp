#include "agent/containers/termination.hpp"

#include <sys/wait.h>
#include <csignal>
#include <cstring>

#include <fmt/format.h>

#include "kernel/process.hpp"

namespace gantry::agent {

std::string signalName(int number) {
  const char* name = ::sigabbrev_np(number);
  return name == nullptr ? fmt::format("signal {}", number) : fmt::format("SIG{}", name);
}

Termination explainEnd(const ExitRecord& exit, const std::optional<isolators::Limitation>& limitation,
                       std::optional<int> signal) {
  if (limitation) {
    Termination termination = failedBecause(limitation->reason, limitation->message);
    termination.waitStatus = exit.waitStatus;
    return termination;
  }
  if (!exit.waitStatus) {
    return failedBecause("REASON_IO_SWITCHBOARD_EXITED", "its monitor was killed, so that nobody saw how it ended");
  }
  Termination termination{.waitStatus = exit.waitStatus, .message = kernel::describeWaitStatus(*exit.waitStatus)};
  if (!signal) return termination;
  const bool byThatSignal = WIFSIGNALED(*exit.waitStatus) && WTERMSIG(*exit.waitStatus) == *signal;
  termination.message += byThatSignal ? ", as requested" : fmt::format(" after {} was requested", signalName(*signal));
  return termination;
}

Termination failedBecause(std::string reason, std::string message) {
  return {.state = "TASK_FAILED", .reason = std::move(reason), .message = std::move(message)};
}

}  // namespace gantry::agent
