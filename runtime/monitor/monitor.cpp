#include "runtime/monitor/monitor.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>

#include <algorithm>

namespace gantry::monitor {
namespace {

// A session's end is held back so long for a client to come and take its output.
constexpr std::int64_t kSessionPatienceMs = 10'000;
// What a terminal can hold; a pipe is asked.
constexpr std::int64_t kTerminalCapacity = 64 * 1024;

// Places in the poll array; the clients follow.
enum Place : std::size_t { kSignals, kListener, kConsole, kOutput, kError, kInput, kFirstClient };
constexpr std::size_t kPlaces = kFirstClient + Clients::kMost;

std::int64_t nowMs() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

void closeAndForget(int& descriptor) {
  if (descriptor >= 0) ::close(descriptor);
  descriptor = -1;
}

std::int64_t capacityOf(int stream) {
  if (stream < 0) return 0;
  const int size = ::fcntl(stream, F_GETPIPE_SZ);
  return size > 0 ? size : kTerminalCapacity;
}

bool hasInput(int stream) {
  pollfd polled{stream, POLLIN, 0};
  return stream >= 0 && ::poll(&polled, 1, 0) == 1 && (polled.revents & POLLIN) != 0;
}

}  // namespace

int Monitor::run() {
  if (!prepare()) return 1;
  if (!launchRuntime(options_, directory_, launch_)) {
    complain("start the runtime", errno);
    return 1;
  }
  if (!loop()) return 1;
  return finish() ? 0 : 1;
}

bool Monitor::prepare() {
  ::setsid();  // fails when whoever started us did it already
  if (::chdir("/") != 0 || ::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
    complain("become a subreaper", errno);
    return false;
  }
  for (const int number : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGPIPE, SIGALRM, SIGTSTP}) {
    ::signal(number, SIG_IGN);
  }
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  ::signal(SIGCHLD, SIG_DFL);
  ::sigprocmask(SIG_BLOCK, &children, nullptr);
  signals_ = ::signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals_ < 0) {
    complain("watch for children", errno);
    return false;
  }
  if (!options_.session) {
    if (!logs_[0].open(options_.standardOutput, options_.logSize, options_.logFiles)) {
      complain(options_.standardOutput, errno);
      return false;
    }
    if (!logs_[1].open(options_.standardError, options_.logSize, options_.logFiles)) {
      complain(options_.standardError, errno);
      return false;
    }
  }
  return listen();
}

bool Monitor::listen() {
  directory_ = ::open(options_.directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (directory_ < 0) {
    complain(options_.directory, errno);
    return false;
  }
  // What an earlier attempt may have left.
  for (const char* name : {monitor_protocol::kSocketName, monitor_protocol::kInitRecord, monitor_protocol::kExitRecord,
                           monitor_protocol::kRuntimeLog, kPidFile, kConsoleSocket}) {
    ::unlinkat(directory_, name, 0);
  }
  Text<64> path;
  path << "/proc/self/fd/" << static_cast<std::uint64_t>(directory_) << "/" << monitor_protocol::kSocketName;
  if (!clients_.listen(path.c_str())) {
    complain("listen at monitor.sock", errno);
    return false;
  }
  Line self;
  if (!describeProcess(::getpid(), self) ||
      !writeRecord(directory_, monitor_protocol::kMonitorRecord, self.view(), false)) {
    complain("write the record 'monitor'", errno);
    return false;
  }
  // An agent that died meanwhile does not know of us, and would not look for a container that it never saw.
  if (::write(STDOUT_FILENO, "ready\n", 6) < 0 && errno == EPIPE) {
    ::unlinkat(directory_, monitor_protocol::kSocketName, 0);
    return false;
  }
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  ::dup2(null, STDOUT_FILENO);
  ::close(null);
  return true;
}

// False when there is nothing to record: the container never was.
bool Monitor::loop() {
  pollfd polled[kPlaces];
  while (!over_ && !failed_) {
    const std::size_t count = gather(polled);
    if (::poll(polled, count, patience()) < 0 && errno != EINTR) {
      complain("poll", errno);
      return false;
    }
    serve(polled, count);
    if (phase_ == Phase::Draining) over_ = isDrained();
  }
  return !failed_;
}

std::size_t Monitor::gather(pollfd* polled) {
  // -1 rather than no events: a stream that hung up would otherwise wake us without end.
  const auto ask = [&](std::size_t place, int descriptor, bool wanted, short events) {
    polled[place] = pollfd{wanted ? descriptor : -1, events, 0};
  };
  const bool reads = mayReadOutput();
  ask(kSignals, signals_, true, POLLIN);
  ask(kListener, clients_.listener(), true, POLLIN);
  ask(kConsole, launch_.consoleSocket, true, POLLIN);
  ask(kOutput, launch_.streams.output, reads, POLLIN);
  ask(kError, launch_.streams.error, reads, POLLIN);
  ask(kInput, launch_.streams.input, inputEnd_ > inputStart_, POLLOUT);
  // While input waits to be taken no client is heard, so that each one's messages keep their order.
  const bool hears = phase_ != Phase::Creating && inputEnd_ == inputStart_;
  const int pacer = pendingSize_ > 0 ? clients_.pacer() : -1;
  std::size_t count = kFirstClient;
  for (std::size_t slot = 0; slot < Clients::kMost; ++slot) {
    const bool paces = static_cast<int>(slot) == pacer;
    const auto events = static_cast<short>((hears ? POLLIN : 0) | (paces ? POLLOUT : 0));
    ask(kFirstClient + slot, clients_.descriptor(slot), events != 0, events);
    if (clients_.descriptor(slot) >= 0) count = kFirstClient + slot + 1;
  }
  return count;
}

int Monitor::patience() const {
  if (phase_ != Phase::Draining || !options_.session) return -1;
  return static_cast<int>(std::max<std::int64_t>(drainDeadline_ - nowMs(), 0));
}

void Monitor::serve(const pollfd* polled, std::size_t count) {
  for (std::size_t place = kFirstClient; place < count; ++place) {
    if (polled[place].fd < 0 || polled[place].revents == 0) continue;
    if ((polled[place].revents & POLLOUT) != 0) flushPending();
    if ((polled[place].revents & ~POLLOUT) != 0) receive(place - kFirstClient);
  }
  if (polled[kInput].revents != 0) writeInput();
  if (polled[kOutput].revents != 0 && mayReadOutput()) readOutput(launch_.streams.output, Message::kStdout);
  if (polled[kError].revents != 0 && mayReadOutput()) readOutput(launch_.streams.error, Message::kStderr);
  if (polled[kConsole].revents != 0) acceptTerminal();
  if (polled[kSignals].revents != 0) reap();
  if (polled[kListener].revents != 0) {
    const int slot = clients_.accept();
    if (slot >= 0 && !created_.view().empty()) {
      clients_.send(static_cast<std::size_t>(slot), Message::kCreated, created_.view());
    }
  }
}

// --- children

void Monitor::reap() {
  signalfd_siginfo ignored;
  while (::read(signals_, &ignored, sizeof ignored) > 0) {
  }
  while (!failed_) {
    int status = 0;
    // Until the runtime has told us the first process' pid, that process must not be reaped as a stranger.
    const pid_t child = ::waitpid(phase_ == Phase::Creating ? launch_.runtime : -1, &status, WNOHANG | __WALL);
    if (child <= 0) return;
    if (child == launch_.runtime && phase_ == Phase::Creating) {
      failed_ = !runtimeEnded(status);
    } else if (child == init_) {
      init_ = -1;
      status_ = status;
      phase_ = Phase::Draining;
      drainBudget_ = capacityOf(launch_.streams.output) + capacityOf(launch_.streams.error);
      drainDeadline_ = nowMs() + kSessionPatienceMs;
    }
  }
}

// False when it failed; then everybody was told.
bool Monitor::runtimeEnded(int status) {
  if (launch_.consoleSocket >= 0) acceptTerminal();
  init_ = status == 0 ? readPid(directory_, kPidFile) : 0;
  if (init_ <= 0 || !describeProcess(init_, created_)) {
    keepRuntimeWords();
    Line line;
    line << static_cast<std::uint64_t>(status);
    clients_.finish(Message::kFailed, line.view());
    ::unlinkat(directory_, monitor_protocol::kSocketName, 0);
    return false;
  }
  if (!writeRecord(directory_, monitor_protocol::kInitRecord, created_.view(), false)) {
    complain("write the record 'init'", errno);
  }
  ::unlinkat(directory_, kPidFile, 0);
  if (options_.terminal) closeAndForget(launch_.streams.error);
  phase_ = Phase::Running;
  clients_.broadcast(Message::kCreated, created_.view());
  return true;
}

void Monitor::acceptTerminal() {
  const int terminal = receiveTerminal(launch_.consoleSocket, directory_);
  launch_.consoleSocket = -1;
  if (terminal < 0) {
    complain("the runtime sent no terminal", errno);
    return;
  }
  launch_.streams.input = terminal;
  launch_.streams.output = terminal;
  terminalPeer_ = ::ioctl(terminal, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
}

// A runtime that fails before it opens its log (it does not exist, a library is missing) speaks on standard error.
void Monitor::keepRuntimeWords() {
  struct stat status{};
  if (::fstatat(directory_, monitor_protocol::kRuntimeLog, &status, 0) == 0 && status.st_size > 0) return;
  const ssize_t count = TEMP_FAILURE_RETRY(::read(launch_.streams.error, output_, sizeof output_));
  if (count <= 0) return;
  const int log =
      ::openat(directory_, monitor_protocol::kRuntimeLog, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (log < 0) return;
  (void)!::write(log, output_, static_cast<std::size_t>(count));
  ::close(log);
}

// --- output

bool Monitor::mayReadOutput() const {
  // Before the container exists, only the runtime writes there; see keepRuntimeWords().
  if (phase_ == Phase::Creating || pendingSize_ > 0) return false;
  return !options_.session || clients_.pacer() >= 0;
}

void Monitor::readOutput(int& stream, Message type) {
  const ssize_t count = TEMP_FAILURE_RETRY(::read(stream, output_, sizeof output_));
  if (count > 0) {
    drainBudget_ -= count;
    deliver(type, {output_, static_cast<std::size_t>(count)});
  } else if (count == 0 || errno != EAGAIN) {
    // A terminal's master is the input too.
    if (launch_.streams.input == stream) launch_.streams.input = -1;
    closeAndForget(stream);
  }
}

void Monitor::deliver(Message type, std::string_view data) {
  if (!options_.session) {
    logs_[type == Message::kStdout ? 0 : 1].write(data);
    complainOfLoss();
    clients_.output(type, data, -1);
    return;
  }
  const int pacer = clients_.pacer();
  clients_.output(type, data, pacer);
  pendingType_ = type;
  pendingSize_ = data.size();
  flushPending();
}

void Monitor::flushPending() {
  if (pendingSize_ == 0) return;
  while (true) {
    const int pacer = clients_.pacer();
    if (pacer < 0) return;  // held until the next one attaches
    const auto slot = static_cast<std::size_t>(pacer);
    switch (clients_.offer(slot, pendingType_, {output_, pendingSize_})) {
      case Clients::Sent::Yes:
        pendingSize_ = 0;
        return;
      case Clients::Sent::WouldBlock:
        return;
      case Clients::Sent::Gone:
        clients_.close(slot);
    }
  }
}

// Takes what is left in the streams once the first process is gone. Others may still have them open and write on, so
// the end of a stream is not waited for, and no more is taken than was there at the first process' end.
bool Monitor::isDrained() {
  flushPending();
  while (mayReadOutput()) {
    const bool output = hasInput(launch_.streams.output);
    const bool error = hasInput(launch_.streams.error);
    if ((!output && !error) || drainBudget_ <= 0) return true;
    if (output) readOutput(launch_.streams.output, Message::kStdout);
    if (error && mayReadOutput()) readOutput(launch_.streams.error, Message::kStderr);
  }
  if (clients_.pacer() >= 0) return false;
  const bool empty = pendingSize_ == 0 && !hasInput(launch_.streams.output) && !hasInput(launch_.streams.error);
  return (empty && attachedOnce_) || nowMs() >= drainDeadline_;
}

// One line for each time the disk stops taking output; the log itself gets a mark when it does again.
void Monitor::complainOfLoss() {
  const int number = logs_[0].lost() > 0 ? logs_[0].lostErrno() : logs_[1].lost() > 0 ? logs_[1].lostErrno() : 0;
  if (number != 0 && !lossTold_) complain("write to the log files; output is being dropped", number);
  lossTold_ = number != 0;
}

// --- clients and standard input

void Monitor::receive(std::size_t slot) {
  // An earlier client's input, in the same round, comes first.
  if (phase_ == Phase::Creating || inputEnd_ > inputStart_) return;
  char type = 0;
  iovec parts[] = {{&type, 1}, {input_, sizeof input_}};
  msghdr packet{};
  packet.msg_iov = parts;
  packet.msg_iovlen = 2;
  const ssize_t count = TEMP_FAILURE_RETRY(::recvmsg(clients_.descriptor(slot), &packet, MSG_DONTWAIT));
  if (count < 0 && errno == EAGAIN) return;
  if (count <= 0 || (packet.msg_flags & MSG_TRUNC) != 0) {
    clients_.close(slot);
    return;
  }
  const std::size_t size = static_cast<std::size_t>(count) - 1;
  switch (type) {
    case Message::kAttach:
      clients_.attach(slot);
      attachedOnce_ = true;
      break;
    case Message::kStdin:
      takeInput(size);
      break;
    case Message::kCloseStdin:
      closeInput();
      break;
    case Message::kWindow:
      resize({input_, size});
      break;
    default:  // of a later version
      break;
  }
}

void Monitor::takeInput(std::size_t size) {
  if (launch_.streams.input < 0 || size == 0) return;
  inputAtLineStart_ = input_[size - 1] == '\n' || input_[size - 1] == '\r';
  inputStart_ = 0;
  inputEnd_ = size;
  writeInput();
}

void Monitor::writeInput() {
  while (inputStart_ < inputEnd_ && launch_.streams.input >= 0) {
    const ssize_t count =
        TEMP_FAILURE_RETRY(::write(launch_.streams.input, input_ + inputStart_, inputEnd_ - inputStart_));
    if (count < 0 && errno == EAGAIN) return;
    if (count < 0) {
      // The program closed it. A terminal's descriptor is closed where its output is read.
      if (!options_.terminal) ::close(launch_.streams.input);
      launch_.streams.input = -1;
      break;
    }
    inputStart_ += static_cast<std::size_t>(count);
  }
  inputStart_ = inputEnd_ = 0;
}

// No input waits when this is called: a client is only heard when none does.
void Monitor::closeInput() {
  if (!options_.terminal) {
    closeAndForget(launch_.streams.input);
    return;
  }
  // A terminal has no end of its own: the line discipline makes one of the end-of-file character, at a line's start.
  termios settings{};
  if (launch_.streams.input < 0 || ::tcgetattr(launch_.streams.input, &settings) != 0) return;
  if ((settings.c_lflag & ICANON) == 0) return;
  const auto end = static_cast<char>(settings.c_cc[VEOF]);
  const std::size_t size = inputAtLineStart_ ? 1 : 2;
  input_[0] = input_[1] = end;
  takeInput(size);
  inputAtLineStart_ = true;
}

void Monitor::resize(std::string_view payload) {
  std::uint64_t rows = 0;
  std::uint64_t columns = 0;
  if (!takeNumber(payload, rows) || !takeNumber(payload, columns) || rows > UINT16_MAX || columns > UINT16_MAX) return;
  winsize window{};
  window.ws_row = static_cast<unsigned short>(rows);
  window.ws_col = static_cast<unsigned short>(columns);
  if (options_.terminal && launch_.streams.output >= 0) ::ioctl(launch_.streams.output, TIOCSWINSZ, &window);
}

// --- the end

bool Monitor::finish() {
  const Line line = describeExit(status_);
  const bool recorded = writeRecord(directory_, monitor_protocol::kExitRecord, line.view(), true);
  if (!recorded) complain("write the record 'exit'", errno);
  clients_.finish(Message::kEnded, line.view());
  ::unlinkat(directory_, monitor_protocol::kSocketName, 0);
  return recorded;
}

void Monitor::complain(std::string_view what, int number) {
  Text<5000> sentence;
  sentence << "gantry-monitor: " << what;
  if (number != 0) sentence << ": " << ::strerrordesc_np(number);
  sentence << "\n";
  (void)!::write(STDERR_FILENO, sentence.c_str(), sentence.view().size());
}

}  // namespace gantry::monitor
