#include "runtime/foreground.hpp"

#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

#include <optional>
#include <string>
#include <string_view>

#include "kernel/io.hpp"
#include "kernel/poll.hpp"
#include "kernel/signals.hpp"
#include "kernel/terminal.hpp"

namespace gantry::runtime {
namespace {

constexpr std::size_t kPiece = 32768;

int exitStatus(int waitStatus) {
  return WIFSIGNALED(waitStatus) ? 128 + WTERMSIG(waitStatus) : WEXITSTATUS(waitStatus);
}

// Copies between our standard input and output and the container's terminal. Writing output may block: whoever started
// us in the foreground decides how fast we go. Writing input does not: a program that reads none must not keep us from
// passing signals on, nor from seeing its end.
class TerminalProxy {
 public:
  static Result<TerminalProxy> start(kernel::Fd master) {
    TerminalProxy proxy(std::move(master));
    TRY_VOID(kernel::setNonBlocking(proxy.master_));
    TRY(proxy.input_, kernel::duplicate(STDIN_FILENO));
    TRY(proxy.output_, kernel::duplicate(STDOUT_FILENO));
    proxy.resize();
    if (kernel::isTerminal(proxy.input_)) {
      TRY(kernel::RawMode raw, kernel::RawMode::enter(proxy.input_));
      proxy.raw_.emplace(std::move(raw));
    }
    return proxy;
  }

  void resize() {
    const auto size = kernel::windowSize(input_);
    const bool isKnown = size && size->rows != 0 && size->columns != 0;
    if (isKnown) ignore(kernel::setWindowSize(master_, *size), "the terminal keeps its size");
  }

  const kernel::Fd* master() const { return master_ ? &master_ : nullptr; }
  // More input is taken once the terminal has what we took before.
  const kernel::Fd* input() const { return master_ && input_ && pending_.empty() ? &input_ : nullptr; }
  const kernel::Fd* roomForInput() const { return master_ && !pending_.empty() ? &master_ : nullptr; }

  Result<void> copyOut() {
    TRY(const auto piece, kernel::readSome(master_, kPiece));
    if (!piece) return {};
    if (piece->empty()) {
      master_.reset();
      return {};
    }
    // Who read our output has gone. The program shall neither wait for them nor end because of them.
    if (output_ && !writeOutput(*piece)) output_.reset();
    return {};
  }

  void copyIn() {
    const auto piece = kernel::readSome(input_, kPiece);
    if (piece && !*piece) return;
    pending_ = piece ? **piece : std::string();
    if (pending_.empty()) {
      // The end of a file (or what cannot be read) is an end-of-file character on a terminal.
      input_.reset();
      pending_ = "\x04";
    }
    writeInput();
  }

  void writeInput() {
    while (master_ && !pending_.empty()) {
      const auto taken = kernel::writeSome(master_, pending_);
      if (taken && !*taken) return;
      // On an error nobody has the terminal open any more.
      pending_.erase(0, taken ? **taken : pending_.size());
    }
  }

 private:
  explicit TerminalProxy(kernel::Fd master) : master_(std::move(master)) {}

  Result<void> writeOutput(std::string_view data) {
    while (!data.empty()) {
      TRY(const auto taken, kernel::writeSome(output_, data));
      if (taken) {
        data.remove_prefix(*taken);
      } else {
        // Whoever gave us a non-blocking output is waited for as well.
        TRY_VOID(kernel::waitReadable({}, {}, &output_));
      }
    }
    return {};
  }

  kernel::Fd master_;
  kernel::Fd input_;
  kernel::Fd output_;
  // Of the input, what the terminal did not take yet.
  std::string pending_;
  std::optional<kernel::RawMode> raw_;
};

class Supervision {
 public:
  Supervision(const kernel::Fd& signals, kernel::Process& process) : signals_(signals), process_(process) {}

  Result<void> useTerminal(kernel::Fd master) {
    TRY(TerminalProxy proxy, TerminalProxy::start(std::move(master)));
    proxy_.emplace(std::move(proxy));
    return {};
  }

  Result<int> run() {
    while (true) {
      const kernel::Fd* const master = proxy_ ? proxy_->master() : nullptr;
      const kernel::Fd* const input = proxy_ ? proxy_->input() : nullptr;
      const kernel::Fd* const room = proxy_ ? proxy_->roomForInput() : nullptr;
      TRY(const auto ready, kernel::waitReadable({&process_.pidfd(), &signals_, master, input}, {}, room));
      if (proxy_) proxy_->writeInput();
      if (ready[2]) TRY_VOID(proxy_->copyOut());
      if (ready[3]) proxy_->copyIn();
      if (ready[1]) TRY_VOID(passSignalsOn());
      if (ready[0]) return finish();
    }
  }

 private:
  Result<void> passSignalsOn() {
    while (true) {
      TRY(const auto number, kernel::nextSignal(signals_));
      if (!number) return {};
      if (*number == SIGWINCH && proxy_) {
        proxy_->resize();
      } else if (*number == SIGCHLD) {
        reapOrphans();
      } else if (*number != SIGURG && *number != SIGPIPE) {
        ignore(process_.signal(*number), "it has ended, which the next round sees");
      }
    }
  }

  // As a subreaper we get the container's orphans when it has no pid namespace.
  void reapOrphans() const {
    siginfo_t info{};
    while (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
      if (info.si_pid == process_.pid()) return;
      ::waitpid(info.si_pid, nullptr, 0);
      info.si_pid = 0;
    }
  }

  Result<int> finish() {
    TRY(const int status, process_.wait());
    // What it wrote last is still in the terminal.
    while (proxy_ && proxy_->master() != nullptr) {
      TRY(const auto ready, kernel::waitReadable({proxy_->master()}, std::chrono::milliseconds(0)));
      if (!ready[0]) break;
      TRY_VOID(proxy_->copyOut());
    }
    return exitStatus(status);
  }

  const kernel::Fd& signals_;
  kernel::Process& process_;
  std::optional<TerminalProxy> proxy_;
};

}  // namespace

Result<Foreground> Foreground::prepare() {
  TRY(kernel::Fd signals, kernel::blockSignals());
  return Foreground(std::move(signals));
}

Result<int> Foreground::supervise(kernel::Process& process, kernel::Fd terminal) {
  Supervision supervision(signals_, process);
  if (terminal) TRY_VOID(supervision.useTerminal(std::move(terminal)));
  return supervision.run();
}

}  // namespace gantry::runtime
