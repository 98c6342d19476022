// A container's first process that blocks SIGTERM and takes it by a signalfd or by sigwait, as argv[1] says: it prints
// "begin", ends a moment after the signal came, and says "saved" before.
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <string_view>

namespace {

bool say(std::string_view line) {
  return ::write(1, line.data(), line.size()) == static_cast<ssize_t>(line.size());
}

bool takeByDescriptor(const sigset_t& signals) {
  const int descriptor = ::signalfd(-1, &signals, 0);
  signalfd_siginfo taken;
  return say("begin\n") && ::read(descriptor, &taken, sizeof taken) == sizeof taken;
}

bool takeByWaiting(const sigset_t& signals) {
  int taken = 0;
  return say("begin\n") && ::sigwait(&signals, &taken) == 0;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) return 2;
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  const bool taken = std::string_view(arguments[1]) == "signalfd" ? takeByDescriptor(signals) : takeByWaiting(signals);
  if (!taken) return 1;
  ::usleep(200'000);
  return say("saved\n") ? 5 : 1;
}
