#include "async/process.hpp"

#include <csignal>

#include <fmt/format.h>

#include "async/descriptor.hpp"
#include "async/scope.hpp"

namespace gantry::async {
namespace {

constexpr std::size_t kPiece = 64U << 10U;

Task<Result<void>> pidfdReadable(Result<kernel::Fd> pidfd) {
  CO_TRY(kernel::Fd fd, std::move(pidfd));
  const Executor executor = co_await currentExecutor();
  CO_TRY(const Descriptor descriptor, Descriptor::adopt(executor, std::move(fd)));
  co_return co_await descriptor.readable();
}

// What is done with one of the program's outputs.
struct Sink {
  std::function<void(std::string_view line)> onLine;
  std::size_t limit = 0;
  // Too much output is an error; otherwise the rest is dropped.
  bool strict = false;
  // All of it, or with onLine the line that has not ended yet.
  std::string text;
  bool overflowed = false;

  void take(std::string_view piece) {
    if (onLine) {
      text.append(piece);
      std::size_t begin = 0;
      for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
        onLine(std::string_view(text).substr(begin, end - begin));
        begin = end + 1;
      }
      text.erase(0, begin);
    } else {
      text.append(piece.substr(0, limit - std::min(limit, text.size()) + (strict ? 1 : 0)));
    }
    if (strict && text.size() > limit) overflowed = true;
  }

  void end() {
    if (!onLine || text.empty()) return;
    onLine(text);
    text.clear();
  }
};

// Everything the coroutines of one run() share.
struct Run {
  std::shared_ptr<kernel::Process> child;
  Sink out;
  Sink err;
};
using RunPtr = std::shared_ptr<Run>;

void kill(const kernel::Process& child) {
  ignore(child.signal(SIGKILL), "it has ended already");
}

Task<> feed(Descriptor pipe, std::string input) {
  ignore(co_await pipe.write(std::move(input)), "a program need not read its input");
}

Task<> collect(RunPtr run, Sink* sink, Descriptor pipe) {
  while (!sink->overflowed) {
    const auto piece = co_await pipe.read(kPiece);
    if (!piece || piece->empty()) break;
    sink->take(*piece);
  }
  // Cancelled means that the program has ended: what it wrote is in the pipe, even if another process holds it open.
  while (!sink->overflowed) {
    const auto piece = pipe.readNow(kPiece);
    if (!piece || piece->empty()) break;
    sink->take(*piece);
  }
  if (sink->overflowed) kill(*run->child);
  sink->end();
}

struct Pipes {
  Descriptor in;
  Descriptor out;
  Descriptor err;
};

Result<Pipes> start(const Executor& executor, kernel::Command command, Run& run) {
  TRY(kernel::Pipe in, kernel::pipe());
  TRY(kernel::Pipe out, kernel::pipe());
  TRY(kernel::Pipe err, kernel::pipe());
  command.descriptors.push_back({in.read.raw(), 0});
  command.descriptors.push_back({out.write.raw(), 1});
  command.descriptors.push_back({err.write.raw(), 2});
  Pipes pipes;
  TRY(pipes.in, Descriptor::adopt(executor, std::move(in.write)));
  TRY(pipes.out, Descriptor::adopt(executor, std::move(out.read)));
  TRY(pipes.err, Descriptor::adopt(executor, std::move(err.read)));
  TRY(kernel::Process child, kernel::spawn(command));
  run.child = std::make_shared<kernel::Process>(std::move(child));
  return pipes;
}

Task<Result<int>> exitedBy(std::shared_ptr<kernel::Process> child, std::optional<Duration> deadline) {
  Task<Result<int>> end = exited(std::move(child));
  if (!deadline) co_return co_await std::move(end);
  co_return co_await withTimeout(*deadline, std::move(end));
}

}  // namespace

Task<Result<int>> exited(std::shared_ptr<kernel::Process> child) {
  CO_TRY_VOID(co_await ended(*child));
  co_return child->wait();
}

Task<Result<void>> ended(const kernel::Process& process) {
  return pidfdReadable(kernel::duplicate(process.pidfd()));
}

Task<Result<Output>> run(kernel::Command command, RunOptions options) {
  const Executor executor = co_await currentExecutor();
  const std::string program = command.program;
  const auto run = std::make_shared<Run>();
  run->out.onLine = std::move(options.onLine);
  run->out.limit = options.outputLimit;
  run->out.strict = true;
  run->err.onLine = std::move(options.onErrorLine);
  run->err.limit = options.errorLimit;
  CO_TRY(Pipes pipes, start(executor, std::move(command), *run));

  Scope streams(executor);
  streams.spawn(feed(std::move(pipes.in), std::move(options.input)));
  streams.spawn(collect(run, &run->out, std::move(pipes.out)));
  streams.spawn(collect(run, &run->err, std::move(pipes.err)));

  auto status = co_await exitedBy(run->child, options.deadline);
  if (!status && *run->child) {
    kill(*run->child);
    Task<Result<int>> end = exited(run->child);
    ignore(co_await shield(std::move(end)), "the first error is the one to report");
  }
  streams.cancel();
  co_await streams.join();

  if (!status) co_return std::move(status).error().under(fmt::format("run '{}'", program));
  if (run->out.overflowed) {
    co_return Error(Code::Exhausted,
                    fmt::format("run '{}': its output is larger than {} bytes", program, run->out.limit));
  }
  Output output;
  output.status = *status;
  output.out = std::move(run->out.text);
  output.err = std::move(run->err.text);
  co_return output;
}

}  // namespace gantry::async
