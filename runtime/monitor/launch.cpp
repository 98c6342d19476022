#include "runtime/monitor/launch.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "base/monitor_protocol.hpp"
#include "runtime/monitor/text.hpp"

namespace gantry::monitor {
namespace {

using Path = Text<4096>;

// The child's ends; 0 to 2 of the runtime, and through it of the container.
struct ChildStreams {
  int input = -1;
  int output = -1;
  int error = -1;
};

bool makePipe(int& read, int& write, int& ours) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return false;
  read = ends[0];
  write = ends[1];
  // Only our end: O_NONBLOCK belongs to each end by itself, and programs expect theirs to block.
  return ::fcntl(ours, F_SETFL, O_NONBLOCK) == 0;
}

bool makeStreams(const Options& options, Streams& ours, ChildStreams& theirs) {
  if (!makePipe(ours.error, theirs.error, ours.error)) return false;
  if (options.terminal) return true;
  if (!makePipe(ours.output, theirs.output, ours.output)) return false;
  return !options.openStdin || makePipe(theirs.input, ours.input, ours.input);
}

// The directory by its descriptor: a socket's path has room for 107 bytes, an id alone may have more.
Path below(int directory, const char* name) {
  Path path;
  path << "/proc/" << static_cast<std::uint64_t>(::getpid()) << "/fd/" << static_cast<std::uint64_t>(directory) << "/"
       << name;
  return path;
}

int listenForConsole(int directory) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, below(directory, kConsoleSocket).c_str());
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socket < 0) return -1;
  const mode_t before = ::umask(0177);
  const int bound = ::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  ::umask(before);
  if (bound == 0 && ::listen(socket, 1) == 0) return socket;
  ::close(socket);
  return -1;
}

[[noreturn]] void becomeRuntime(char* const* words, const ChildStreams& streams, pid_t monitor) {
  // What the monitor ignores and blocks is its own affair; the container must not inherit it.
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  // Whoever gives up on a hanging runtime kills the monitor. Children of the runtime do not inherit this.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != monitor) ::_exit(127);

  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  const int sources[] = {streams.input, streams.output, streams.error};
  for (int standard = 0; standard < 3; ++standard) {
    if (::dup2(sources[standard] >= 0 ? sources[standard] : null, standard) < 0) ::_exit(127);
  }
  ::execve(words[0], words, environ);
  // Read by the monitor as the runtime's last words.
  Path sentence;
  sentence << "run '" << words[0] << "': " << ::strerrordesc_np(errno) << "\n";
  (void)!::write(2, sentence.c_str(), sentence.view().size());
  ::_exit(127);
}

}  // namespace

bool launchRuntime(const Options& options, int directory, Launch& launch) {
  ChildStreams theirs;
  if (!makeStreams(options, launch.streams, theirs)) return false;
  if (options.terminal) {
    launch.consoleSocket = listenForConsole(directory);
    if (launch.consoleSocket < 0) return false;
  }

  Path log;
  log << options.directory << "/" << monitor_protocol::kRuntimeLog;
  Path pidFile;
  pidFile << options.directory << "/" << kPidFile;
  const Path console = below(directory, kConsoleSocket);

  const char* words[24];
  std::size_t count = 0;
  const auto add = [&](const char* word) { words[count++] = word; };
  add(options.runtime);
  add("--root");
  add(options.runtimeRoot);
  add("--log");
  add(log.c_str());
  add("--log-format");
  add("json");
  if (options.process != nullptr) {
    add("exec");
    add("--detach");
    add("--process");
    add(options.process);
  } else {
    add("create");
    add("--bundle");
    add(options.bundle);
  }
  add("--pid-file");
  add(pidFile.c_str());
  if (options.terminal) {
    add("--console-socket");
    add(console.c_str());
  }
  add(options.id);
  add(nullptr);

  const pid_t monitor = ::getpid();
  launch.runtime = ::fork();
  if (launch.runtime == 0) becomeRuntime(const_cast<char* const*>(words), theirs, monitor);
  const int failure = errno;
  for (const int end : {theirs.input, theirs.output, theirs.error}) {
    if (end >= 0) ::close(end);
  }
  errno = failure;
  return launch.runtime > 0;
}

int receiveTerminal(int consoleSocket, int directory) {
  const int connection = ::accept4(consoleSocket, nullptr, nullptr, SOCK_CLOEXEC);
  ::close(consoleSocket);
  ::unlinkat(directory, kConsoleSocket, 0);
  if (connection < 0) return -1;

  // runc and crun send the terminal's name beside the descriptor.
  char name[4096];
  iovec part{name, sizeof name};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t count = TEMP_FAILURE_RETRY(::recvmsg(connection, &message, MSG_CMSG_CLOEXEC));
  ::close(connection);
  const cmsghdr* const header = count >= 0 ? CMSG_FIRSTHDR(&message) : nullptr;
  if (header == nullptr || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) return -1;
  int terminal = -1;
  std::memcpy(&terminal, CMSG_DATA(header), sizeof terminal);
  if (::fcntl(terminal, F_SETFL, O_NONBLOCK) == 0) return terminal;
  ::close(terminal);
  return -1;
}

}  // namespace gantry::monitor
