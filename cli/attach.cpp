#include "cli/attach.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <nlohmann/json.hpp>
#include <optional>

#include "async/channel.hpp"
#include "async/event.hpp"
#include "async/run.hpp"
#include "async/scope.hpp"
#include "base/base64.hpp"
#include "cli/terminal.hpp"

namespace gantry::cli {
namespace {

using async::Task;
using nlohmann::json;

constexpr std::size_t kPiece = 16U << 10U;
constexpr std::size_t kQueuedRecords = 16;
// So many SIGINTs in one run mean that the user is done waiting.
constexpr int kKillAfterInterrupts = 2;

json idJson(const std::string& id, const std::string& parent) {
  json value = {{"value", id}};
  if (!parent.empty()) value["parent"] = {{"value", parent}};
  return value;
}

std::string inputRecord(json input) {
  return json{{"type", "ATTACH_CONTAINER_INPUT"}, {"attach_container_input", std::move(input)}}.dump();
}

std::string killCall(const AttachOptions& options, int signal) {
  return json{{"type", "KILL_CONTAINER"},
              {"kill_container", {{"container_id", idJson(options.id, options.parent)}, {"signal", signal}}}}
      .dump();
}

Result<async::Descriptor> standardStream(const async::Executor& executor, int number) {
  kernel::Fd copy(::fcntl(number, F_DUPFD_CLOEXEC, 3));
  if (!copy) return Error::fromErrno(errno, "duplicate a standard stream");
  return async::Descriptor::share(executor, std::move(copy));
}

// What the coroutines of one attachment share.
struct Attachment {
  Attachment(async::Executor executor, AgentClient client, AttachOptions wanted)
      : agent(std::move(client)), options(std::move(wanted)), input(executor, kQueuedRecords), over(executor) {}

  AgentClient agent;
  AttachOptions options;
  // Records on their way to the agent.
  async::Channel<std::string> input;
  // Output has ended, or the detach keys were typed.
  async::Event over;
  bool detached = false;
  Result<void> output;
};
using AttachmentPtr = std::shared_ptr<Attachment>;

Task<> copyOutputAndEnd(AttachmentPtr attachment, http::ExchangePtr output, std::shared_ptr<OutputStreams> streams) {
  attachment->output = co_await copyOutput(std::move(output), std::move(streams));
  attachment->over.set();
}

Task<> readStandardInput(AttachmentPtr attachment, std::shared_ptr<async::Descriptor> from) {
  DetachKeys keys;
  while (true) {
    auto typed = co_await from->read(kPiece);
    if (!typed) co_return;
    if (typed->empty()) break;
    std::string data = attachment->options.terminal ? keys.filter(*typed) : std::move(*typed);
    if (!data.empty()) {
      std::string record = dataRecord(data);
      const auto queued = co_await attachment->input.send(std::move(record));
      if (!queued) co_return;
    }
    if (keys.areTyped()) {
      attachment->detached = true;
      attachment->over.set();
      co_return;
    }
  }
  // Nothing is how the end of input is spelled; a terminal has no end.
  if (attachment->options.terminal) co_return;
  std::string end = dataRecord("");
  const auto queued = co_await attachment->input.send(std::move(end));
  if (queued) attachment->input.close();
}

// When this fails the program has ended, or another client holds its input, which is said when output ends.
Task<> sendInput(AttachmentPtr attachment) {
  std::string first = firstInputRecord(attachment->options.id, attachment->options.parent);
  const auto opened = co_await attachment->agent.openInput(std::move(first));
  if (!opened) co_return;
  const http::ExchangePtr exchange = *opened;
  while (true) {
    auto record = co_await attachment->input.receive();
    if (!record) co_return;
    if (!*record) break;
    std::string piece = http::encodeRecord(**record);
    const auto written = co_await exchange->write(std::move(piece));
    if (!written) co_return;
  }
  const auto ended = co_await exchange->endBody();
  if (!ended) co_return;
  const auto response = co_await exchange->response();
  ignore(Result<bool>(response.has_value()), "the program's end is told by its output");
}

Task<> sendWindowSizes(AttachmentPtr attachment, std::shared_ptr<async::Signals> changes) {
  while (true) {
    const WindowSize window = windowSize();
    if (window.rows > 0) attachment->input.trySend(windowRecord(window));
    const auto changed = co_await changes->next();
    if (!changed) co_return;
  }
}

Task<> forwardSignals(AttachmentPtr attachment, std::shared_ptr<async::Signals> signals) {
  int interrupts = 0;
  while (true) {
    const auto number = co_await signals->next();
    if (!number) co_return;
    if (*number == SIGINT) ++interrupts;
    const int sent = interrupts >= kKillAfterInterrupts ? SIGKILL : *number;
    std::string call = killCall(attachment->options, sent);
    auto killed = co_await attachment->agent.call(std::move(call));
    ignore(std::move(killed), "it has ended");
  }
}

}  // namespace

std::string containerIdJson(const std::string& id, const std::string& parent) {
  return idJson(id, parent).dump();
}

std::string firstInputRecord(const std::string& id, const std::string& parent) {
  return inputRecord({{"type", "CONTAINER_ID"}, {"container_id", idJson(id, parent)}});
}

std::string dataRecord(const std::string& data) {
  return inputRecord({{"type", "PROCESS_IO"},
                      {"process_io", {{"type", "DATA"}, {"data", {{"type", "STDIN"}, {"data", toBase64(data)}}}}}});
}

std::string windowRecord(WindowSize window) {
  const json size = {{"window_size", {{"rows", window.rows}, {"columns", window.columns}}}};
  return inputRecord({{"type", "PROCESS_IO"},
                      {"process_io", {{"type", "CONTROL"}, {"control", {{"type", "TTY_INFO"}, {"tty_info", size}}}}}});
}

Result<OutputRecord> parseOutputRecord(const std::string& text) {
  const Error malformed(Code::InvalidArgument, "the agent sent a record that is no output");
  const json record = json::parse(text, nullptr, false);
  if (!record.is_object()) return malformed;
  if (record.value("type", "") != "DATA") return OutputRecord{};
  const auto data = record.find("data");
  if (data == record.end() || !data->is_object() || !data->contains("data") || !data->at("data").is_string()) {
    return malformed;
  }
  TRY(std::string bytes, fromBase64(data->at("data").get<std::string>()));
  return OutputRecord{data->value("type", "") == "STDERR", std::move(bytes)};
}

Result<std::shared_ptr<OutputStreams>> standardStreams(async::Executor executor) {
  TRY(auto out, standardStream(executor, STDOUT_FILENO));
  TRY(auto err, standardStream(executor, STDERR_FILENO));
  return std::make_shared<OutputStreams>(OutputStreams{std::move(out), std::move(err)});
}

Task<Result<void>> copyOutput(http::ExchangePtr output, std::shared_ptr<OutputStreams> streams) {
  http::RecordReader records(output->body());
  while (true) {
    CO_TRY(const auto text, co_await records.next());
    if (!text) co_return Result<void>();
    CO_TRY(OutputRecord record, parseOutputRecord(*text));
    if (record.data.empty()) continue;
    const async::Descriptor& to = record.isError ? streams->err : streams->out;
    CO_TRY_VOID(co_await to.write(std::move(record.data)));
  }
}

Task<Result<AttachEnd>> attach(AgentClient agent, http::ExchangePtr output, AttachOptions options) {
  const async::Executor executor = co_await async::currentExecutor();
  CO_TRY(auto streams, standardStreams(executor));
  const auto attachment = std::make_shared<Attachment>(executor, std::move(agent), std::move(options));
  const AttachOptions& wanted = attachment->options;
  std::optional<RawTerminal> raw;
  if (wanted.terminal && wanted.interactive && isStdinTerminal()) {
    CO_TRY(auto entered, RawTerminal::enter());
    raw.emplace(std::move(entered));
  }

  async::Scope scope(executor);
  scope.spawn(copyOutputAndEnd(attachment, std::move(output), std::move(streams)));
  const std::initializer_list<int> forwarded = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
  scope.spawn(forwardSignals(attachment, std::make_shared<async::Signals>(executor, forwarded)));
  const bool hasNoInput = !wanted.interactive && !wanted.terminal;
  if (hasNoInput) {
    attachment->input.trySend(dataRecord(""));
    attachment->input.close();
  }
  if (!hasNoInput || wanted.isSession()) scope.spawn(sendInput(attachment));
  if (wanted.terminal) {
    const std::initializer_list<int> window = {SIGWINCH};
    scope.spawn(sendWindowSizes(attachment, std::make_shared<async::Signals>(executor, window)));
  }
  if (wanted.interactive) {
    auto input = standardStream(executor, STDIN_FILENO);
    if (input) {
      scope.spawn(readStandardInput(attachment, std::make_shared<async::Descriptor>(std::move(*input))));
    }
  }
  auto over = co_await attachment->over.wait();
  scope.cancel();
  co_await scope.join();
  if (!over) co_return std::move(over).error();
  if (attachment->detached) co_return AttachEnd::Detached;
  if (!attachment->output) co_return attachment->output.error();
  co_return AttachEnd::OutputEnded;
}

}  // namespace gantry::cli
