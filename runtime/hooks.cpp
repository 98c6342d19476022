#include "runtime/hooks.hpp"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

#include <chrono>
#include <optional>

#include <fmt/format.h>

#include "base/log.hpp"
#include "kernel/io.hpp"
#include "kernel/poll.hpp"
#include "kernel/process.hpp"

namespace gantry::runtime {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxOutput = 4096;

// A hook that ends without reading the state must not end us.
class IgnoredBrokenPipe {
 public:
  IgnoredBrokenPipe() : before_(::signal(SIGPIPE, SIG_IGN)) {}
  IgnoredBrokenPipe(const IgnoredBrokenPipe&) = delete;
  IgnoredBrokenPipe& operator=(const IgnoredBrokenPipe&) = delete;
  ~IgnoredBrokenPipe() { ::signal(SIGPIPE, before_); }

 private:
  void (*before_)(int);
};

// Feeds the state to the hook, keeps the beginning of what it says, and waits for its end.
class HookRun {
 public:
  HookRun(const oci::Hook& hook, const std::string& stateJson) : hook_(hook), rest_(stateJson) {}

  Result<void> run(const std::string& workingDirectory) {
    const IgnoredBrokenPipe ignored;
    TRY_VOID(start(workingDirectory));
    while (true) {
      TRY_VOID(feed());
      TRY(const auto ready, kernel::waitReadable({&process_.pidfd(), open(output_)}, patience()));
      if (ready[1]) TRY_VOID(collect());
      if (ready[0]) break;
      if (!ready[0] && !ready[1] && expired()) return stop();
    }
    TRY_VOID(collect());
    TRY(const int status, process_.wait());
    if (status == 0) return {};
    return Error(Code::Internal, fmt::format("{}{}", kernel::describeWaitStatus(status), said()));
  }

 private:
  static const kernel::Fd* open(const kernel::Fd& fd) { return fd ? &fd : nullptr; }

  Result<void> start(const std::string& workingDirectory) {
    TRY(kernel::Pipe input, kernel::pipe());
    TRY(kernel::Pipe output, kernel::pipe());
    kernel::Command command;
    command.program = hook_.path;
    if (!hook_.args.empty()) {
      command.name = hook_.args.front();
      command.arguments.assign(hook_.args.begin() + 1, hook_.args.end());
    }
    command.environment = hook_.env;
    command.descriptors = {{input.read.raw(), 0}, {output.write.raw(), 1}, {output.write.raw(), 2}};
    command.workingDirectory = workingDirectory;
    TRY(process_, kernel::spawn(command));
    if (hook_.timeout) deadline_ = Clock::now() + std::chrono::seconds(*hook_.timeout);
    input_ = std::move(input.write);
    output_ = std::move(output.read);
    TRY_VOID(kernel::setNonBlocking(input_));
    return kernel::setNonBlocking(output_);
  }

  Result<void> feed() {
    while (input_ && !rest_.empty()) {
      const auto taken = kernel::writeSome(input_, rest_);
      if (!taken) {
        // It does not want to know.
        input_.reset();
        return {};
      }
      if (!*taken) return {};
      rest_.remove_prefix(**taken);
    }
    input_.reset();
    return {};
  }

  Result<void> collect() {
    while (output_) {
      TRY(const auto piece, kernel::readSome(output_, kMaxOutput));
      if (!piece) return {};
      if (piece->empty()) output_.reset();
      if (text_.size() < kMaxOutput) text_ += *piece;
    }
    return {};
  }

  bool expired() const { return deadline_ && Clock::now() >= *deadline_; }

  // Short while there is state left to feed, since only reading is waited for.
  std::optional<std::chrono::milliseconds> patience() const {
    if (input_) return std::chrono::milliseconds(10);
    if (!deadline_) return std::nullopt;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline_ - Clock::now());
    return std::max(left, std::chrono::milliseconds(0));
  }

  Result<void> stop() {
    ignore(process_.signal(SIGKILL), "it may have ended this moment");
    ignore(process_.wait(), "its status does not matter any more");
    return Error(Code::Timeout, fmt::format("did not end within {} s{}", *hook_.timeout, said()));
  }

  std::string said() const {
    std::string_view text = text_;
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
    return text.empty() ? std::string() : fmt::format(": {}", text);
  }

  const oci::Hook& hook_;
  std::string_view rest_;
  kernel::Process process_;
  kernel::Fd input_;
  kernel::Fd output_;
  std::optional<Clock::time_point> deadline_;
  std::string text_;
};

}  // namespace

Result<void> runHooks(std::string_view kind, const std::vector<oci::Hook>& hooks, const std::string& stateJson,
                      const std::string& workingDirectory) {
  for (std::size_t index = 0; index < hooks.size(); ++index) {
    HookRun run(hooks[index], stateJson);
    TRY_VOID(run.run(workingDirectory).under(fmt::format("hooks.{}[{}] '{}'", kind, index, hooks[index].path)));
  }
  return {};
}

void runHooksAndWarn(std::string_view kind, const std::vector<oci::Hook>& hooks, const std::string& stateJson,
                     const std::string& workingDirectory) {
  for (std::size_t index = 0; index < hooks.size(); ++index) {
    const auto ran = HookRun(hooks[index], stateJson).run(workingDirectory);
    if (!ran) {
      log::warning("a hook failed",
                   {{"hook", fmt::format("{}[{}] '{}'", kind, index, hooks[index].path)}, {"error", ran.error()}});
    }
  }
}

}  // namespace gantry::runtime
