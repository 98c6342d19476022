#include "kernel/process.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "kernel/argv.hpp"
#include "kernel/file.hpp"

namespace gantry::kernel {
namespace {

struct ChildPlan {
  const Command* command;
  char* const* argv;
  char* const* envp;
  int nullFd;
  int highest;  // first descriptor above every target
};

// In the child between clone and exec: async-signal-safe calls only. Returns the errno of what failed.
int becomeProgram(const ChildPlan& plan) {
  if (plan.command->newSession) ::setsid();
  // First out of the way of every target, then into place: the sources may be among the targets.
  std::size_t moved = 0;
  int parked[64];
  for (const Redirection& redirection : plan.command->descriptors) {
    const int copy = ::fcntl(redirection.ours, F_DUPFD_CLOEXEC, plan.highest);
    if (copy < 0) return errno;
    parked[moved++] = copy;
  }
  for (int standard = 0; standard <= 2; ++standard) {
    if (::dup2(plan.nullFd, standard) < 0) return errno;
  }
  for (int gap = 3; gap < plan.highest; ++gap) ::close(gap);
  moved = 0;
  for (const Redirection& redirection : plan.command->descriptors) {
    if (::dup2(parked[moved++], redirection.theirs) < 0) return errno;
  }
  ::syscall(SYS_close_range, static_cast<unsigned>(plan.highest), ~0U, CLOSE_RANGE_CLOEXEC);
  if (!plan.command->workingDirectory.empty() && ::chdir(plan.command->workingDirectory.c_str()) != 0) return errno;
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execve(plan.command->program.c_str(), plan.argv, plan.envp);
  return errno;
}

// While a thread is in sigwait(3), SigBlk is without the signals that it waits for. Which ones they are is in its
// memory: whoever waits for any is taken to wait for all.
bool waitsForSignals(pid_t pid) {
  const auto call = readFile(fmt::format("/proc/{}/syscall", pid));
  return call && call->starts_with(fmt::format("{} ", SYS_rt_sigtimedwait));
}

}  // namespace

Result<std::uint64_t> startTimeOf(pid_t pid) {
  TRY(const std::string text, readFile(fmt::format("/proc/{}/stat", pid)));
  // The command name in parentheses may hold anything, so count fields after its last ')'.
  std::size_t position = text.rfind(')');
  for (int field = 2; field < 22 && position != std::string::npos; ++field) position = text.find(' ', position + 1);
  std::uint64_t ticks = 0;
  if (position == std::string::npos ||
      std::from_chars(text.data() + position + 1, text.data() + text.size(), ticks).ec != std::errc()) {
    return Error(Code::Internal, fmt::format("/proc/{}/stat has no start time", pid));
  }
  return ticks;
}

bool isRunning(pid_t pid) {
  const auto text = readFile(fmt::format("/proc/{}/stat", pid));
  if (!text) return false;
  const std::size_t name = text->rfind(')');
  const char state = name == std::string::npos || name + 2 >= text->size() ? 'X' : (*text)[name + 2];
  return state != 'Z' && state != 'X';
}

Result<Disposition> dispositionOf(pid_t pid, int signal) {
  TRY(const std::string text, readFile(fmt::format("/proc/{}/status", pid)));
  const auto holds = [&](std::string_view line) -> Result<bool> {
    const std::size_t found = text.find(line);
    std::uint64_t mask = 0;
    if (found == std::string::npos ||
        std::from_chars(text.data() + found + line.size(), text.data() + text.size(), mask, 16).ec != std::errc()) {
      return Error(Code::Internal, fmt::format("/proc/{}/status has no '{}'", pid, line.substr(1, 6)));
    }
    return (mask >> (signal - 1) & 1) != 0;
  };
  TRY(const bool caught, holds("\nSigCgt:\t"));
  TRY(const bool ignored, holds("\nSigIgn:\t"));
  TRY(const bool blocked, holds("\nSigBlk:\t"));
  if (caught) return Disposition::Caught;
  if (ignored) return Disposition::Ignored;
  return blocked || waitsForSignals(pid) ? Disposition::Blocked : Disposition::Default;
}

Result<std::string> bootId() {
  TRY(std::string text, readFile("/proc/sys/kernel/random/boot_id", 128));
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

Result<ProcessId> identify(pid_t pid) {
  TRY(const std::uint64_t ticks, startTimeOf(pid));
  return ProcessId{pid, ticks};
}

bool isAlive(const ProcessId& id) {
  const auto ticks = startTimeOf(id.pid);
  return ticks && *ticks == id.startTime;
}

Result<Process> Process::open(pid_t pid) {
  const long raw = ::syscall(SYS_pidfd_open, pid, 0);
  if (raw < 0) return Error::fromErrno(errno, fmt::format("open process {}", pid));
  return Process(pid, Fd(static_cast<int>(raw)));
}

Result<Process> Process::open(const ProcessId& id) {
  TRY(Process process, open(id.pid));
  const auto ticks = startTimeOf(id.pid);
  if (!ticks && ticks.error().code() != Code::NotFound) return ticks.error();
  if (!ticks || *ticks != id.startTime)
    return Error(Code::NotFound, fmt::format("open process {}: it has ended", id.pid));
  return process;
}

Result<void> Process::signal(int number) const {
  if (::syscall(SYS_pidfd_send_signal, pidfd_.raw(), number, nullptr, 0) != 0) {
    return Error::fromErrno(errno, fmt::format("send signal {} to process {}", number, pid_));
  }
  return {};
}

Result<int> Process::wait() {
  int status = 0;
  while (::waitpid(pid_, &status, __WALL) < 0) {
    if (errno != EINTR) return Error::fromErrno(errno, fmt::format("wait for process {}", pid_));
  }
  pidfd_.reset();
  return status;
}

Result<Process> spawn(const Command& command) {
  ENSURE(command.descriptors.size() <= 64, "too many descriptors for one child");
  std::vector<std::string> words{command.name.empty() ? command.program : command.name};
  words.insert(words.end(), command.arguments.begin(), command.arguments.end());
  const std::vector<char*> argv = toArgv(words);
  const std::vector<char*> envp = toArgv(command.environment);
  TRY(const Fd null, open("/dev/null", O_RDWR));

  int highest = 3;
  for (const Redirection& redirection : command.descriptors) highest = std::max(highest, redirection.theirs + 1);
  const ChildPlan plan{&command, argv.data(), envp.data(), null.raw(), highest};

  // The child shares our memory and we stand still until exec, as with vfork: no pages are copied, and it can leave
  // its errno in our variable. Signals stay blocked so that no handler of ours runs in it.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  volatile int failure = 0;
  int pidfd = -1;
  const pid_t pid = [&] {
    alignas(16) static thread_local char stack[64 * 1024];
    struct Frame {
      const ChildPlan* plan;
      volatile int* failure;
    } frame{&plan, &failure};
    return ::clone(
        [](void* argument) -> int {
          auto* const child = static_cast<Frame*>(argument);
          *child->failure = becomeProgram(*child->plan);
          ::_exit(127);
        },
        stack + sizeof stack, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &frame, &pidfd);
  }();
  const int cloneErrno = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return Error::fromErrno(cloneErrno, fmt::format("start '{}'", command.program));
  Process process(pid, Fd(pidfd));
  if (failure != 0) {
    ignore(process.wait(), "it never became the program; only its errno matters");
    return Error::fromErrno(failure, fmt::format("run '{}'", command.program));
  }
  return process;
}

std::string describeWaitStatus(int status) {
  if (WIFEXITED(status)) return fmt::format("exited with status {}", WEXITSTATUS(status));
  if (WIFSIGNALED(status)) {
    const char* const name = ::sigabbrev_np(WTERMSIG(status));
    return fmt::format("was killed by SIG{} ({})", name == nullptr ? "?" : name, WTERMSIG(status));
  }
  return fmt::format("changed state (wait status {:#x})", status);
}

}  // namespace gantry::kernel
