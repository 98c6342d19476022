// Processes by pidfd, and the pair (pid, start time) that names one on disk.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "kernel/fd.hpp"

namespace gantry::kernel {

// A pid that can be stored: with the start time a reused pid is not mistaken for the old process.
struct ProcessId {
  pid_t pid = 0;
  // Field 22 of /proc/<pid>/stat: clock ticks since boot.
  std::uint64_t startTime = 0;

  auto operator<=>(const ProcessId&) const = default;
};

// NotFound when there is no such process; a zombie still has its start time.
Result<std::uint64_t> startTimeOf(pid_t pid);
Result<ProcessId> identify(pid_t pid);
// True while that very process exists, as a zombie too.
bool isAlive(const ProcessId& id);

// Another one after every boot (random(4)): what was stored with another one's pids is about processes that are gone.
Result<std::string> bootId();

// False for a process that has ended, though its parent may not have waited for it yet.
bool isRunning(pid_t pid);

// What a signal does to a process. Blocked: its first thread blocks a signal without a handler, for a signalfd or for
// sigwait(3), and gets it where the default action would not be taken.
enum class Disposition { Default, Ignored, Caught, Blocked };
Result<Disposition> dispositionOf(pid_t pid, int signal);

// A process that somebody may signal and wait for: a pid and its pidfd (Linux 5.3).
class Process {
 public:
  Process() = default;
  // Any process. Fails with NotFound when it is gone or (with a start time) is another one.
  static Result<Process> open(pid_t pid);
  static Result<Process> open(const ProcessId& id);
  // What clone3 with CLONE_PIDFD or posix_spawn returned.
  Process(pid_t pid, Fd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}

  explicit operator bool() const { return static_cast<bool>(pidfd_); }
  pid_t pid() const { return pid_; }
  // Readable once the process has ended.
  const Fd& pidfd() const { return pidfd_; }
  // NotFound once it has ended and was waited for.
  Result<void> signal(int number) const;
  // Only for a child: blocks, reaps it and returns the raw wait status (as waitpid spells it).
  Result<int> wait();

 private:
  pid_t pid_ = 0;
  Fd pidfd_;
};

// Which descriptor of ours becomes which of the child's.
struct Redirection {
  int ours;
  int theirs;
};

// A program to run as a child. Nothing is inherited but what is named here.
struct Command {
  std::string program;                 // absolute path
  std::vector<std::string> arguments;  // argv[1..]
  std::vector<std::string> environment;
  // Descriptors 0, 1 and 2 are /dev/null unless named. All others of ours are closed in the child.
  std::vector<Redirection> descriptors;
  std::string workingDirectory;  // empty: ours
  bool newSession = false;       // setsid
  std::string name;              // argv[0]; empty: program
};

// vfork-like start; fails with the errno of exec when the program cannot run (Unavailable error text names it).
Result<Process> spawn(const Command& command);

// "exited with status 1", "was killed by SIGKILL (9)".
std::string describeWaitStatus(int status);

}  // namespace gantry::kernel
