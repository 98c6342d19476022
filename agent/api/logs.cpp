#include "agent/api/logs.hpp"

#include <fcntl.h>
#include <sys/inotify.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "agent/api/reply.hpp"
#include "agent/api/request.hpp"
#include "agent/wire/process_io.hpp"
#include "async/scope.hpp"
#include "http/recordio.hpp"
#include "kernel/file.hpp"

namespace gantry::agent::api {
namespace {

// One record's worth of a log.
constexpr std::size_t kPiece = 32U << 10U;

// Where log files were deleted before this reader came to them.
constexpr std::string_view kLossMark = "[output is missing here: the log was rotated faster than it was read]\n";

struct Wanted {
  ContainerId id;
  bool follow = false;
  bool standardOutput = true;
  bool standardError = true;
  std::optional<std::size_t> tail;
};

Result<Wanted> wantedOf(const http::Request& request) {
  TRY(ContainerId id, containerIdOf(request));
  Wanted wanted{std::move(id), false, true, true, {}};
  TRY(wanted.follow, flagOf(request, "follow"));
  if (const auto stream = request.query.find("stream"); stream != request.query.end()) {
    if (stream->second != "stdout" && stream->second != "stderr") {
      return Error::invalid("stream", "must be stdout or stderr");
    }
    wanted.standardOutput = stream->second == "stdout";
    wanted.standardError = !wanted.standardOutput;
  }
  if (const auto tail = request.query.find("tail"); tail != request.query.end()) {
    const std::string& text = tail->second;
    std::size_t lines = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), lines);
    if (error != std::errc() || end != text.data() + text.size()) return Error::invalid("tail", "must be a number");
    wanted.tail = lines;
  }
  return wanted;
}

// The container's own files are in the same directory, and may change a lot.
bool mayConcernLogs(const kernel::FileChange& change) {
  return (change.mask & IN_Q_OVERFLOW) != 0 || change.name.starts_with("stdout") || change.name.starts_with("stderr");
}

}  // namespace

void Logs::addRoutes(http::Router& router) {
  router.add("GET", "/gantry/v1/containers/{id}/logs", [this](http::RequestPtr request, http::ResponderPtr responder) {
    return handle(std::move(request), std::move(responder));
  });
}

async::Task<> Logs::handle(http::RequestPtr request, http::ResponderPtr responder) {
  const auto wanted = wantedOf(*request);
  if (!wanted) {
    co_await reply(std::move(responder), http::errorResponse(wanted.error()));
    co_return;
  }
  const auto status = containers_.status(wanted->id);
  if (!status) {
    co_await reply(std::move(responder), http::errorResponse(status.error()));
    co_return;
  }
  const std::string sandbox = status->container->sandbox;
  auto directory = kernel::open(sandbox, O_PATH | O_DIRECTORY);
  if (!directory) {
    co_await reply(std::move(responder), http::errorResponse(directory.error()));
    co_return;
  }
  const auto source = std::make_shared<Source>(*std::move(directory));
  if (wanted->standardOutput) {
    source->streams.push_back({Attachment::Stream::Stdout, LogReader(source->directory, "stdout")});
  }
  if (wanted->standardError) {
    source->streams.push_back({Attachment::Stream::Stderr, LogReader(source->directory, "stderr")});
  }
  for (Stream& stream : source->streams) {
    auto placed = wanted->tail ? stream.reader.seekToTail(*wanted->tail) : Result<void>();
    if (placed) continue;
    co_await reply(std::move(responder), http::errorResponse(placed.error()));
    co_return;
  }
  auto sent = co_await send(source, wanted->id, sandbox, wanted->follow, std::move(responder));
  ignore(std::move(sent), "the client sees that the stream is cut off");
}

async::Task<Result<void>> Logs::send(SourcePtr source, ContainerId id, std::string sandbox, bool goOn,
                                     http::ResponderPtr responder) {
  http::Response head(200);
  head.headers.set("Content-Type", "application/recordio");
  head.headers.set("Message-Content-Type", "application/json");
  CO_TRY_VOID(co_await responder->begin(std::move(head)));
  if (goOn) {
    CO_TRY_VOID(co_await follow(source, std::move(id), std::move(sandbox), responder));
  } else {
    CO_TRY_VOID(co_await drain(source, responder));
  }
  co_return co_await responder->end();
}

async::Task<Result<void>> Logs::drain(SourcePtr source, http::ResponderPtr responder) {
  for (Stream& stream : source->streams) {
    CO_TRY(stream.left, stream.reader.available());
  }
  bool more = true;
  while (more) {
    more = false;
    for (Stream& stream : source->streams) {
      if (stream.left == 0) continue;
      const std::size_t limit = std::min<std::uint64_t>(kPiece, stream.left);
      CO_TRY(std::string data, stream.reader.read(limit));
      stream.left = data.empty() ? 0 : stream.left - data.size();
      if (data.empty()) continue;
      more = true;
      if (stream.reader.tookLoss()) {
        Attachment::Chunk mark{Attachment::Stream::Stderr, std::string(kLossMark)};
        std::string record = http::encodeRecord(wire::encodeOutput(mark, wire::Media::Json));
        CO_TRY_VOID(co_await responder->write(std::move(record)));
      }
      Attachment::Chunk chunk{stream.name, std::move(data)};
      std::string record = http::encodeRecord(wire::encodeOutput(chunk, wire::Media::Json));
      CO_TRY_VOID(co_await responder->write(std::move(record)));
    }
  }
  co_return Result<void>();
}

async::Task<Result<void>> Logs::follow(SourcePtr source, ContainerId id, std::string sandbox,
                                       http::ResponderPtr responder) {
  CO_TRY(auto opened, async::FileWatch::open(executor_));
  const auto watch = std::make_shared<async::FileWatch>(std::move(opened));
  // Watched before the first look, so that nothing falls between the two. The directory stands for its files.
  CO_TRY(const int watched, watch->add(sandbox, IN_MODIFY | IN_CREATE | IN_MOVED_TO));
  static_cast<void>(watched);
  const async::Notification changes(executor_);
  const async::Event ended(executor_);
  async::Scope scope(executor_);
  scope.spawn(notifyOfChanges(watch, changes));
  scope.spawn(notifyOfEnd(std::move(id), ended, changes));

  Result<void> result;
  while (result) {
    const std::uint64_t seen = changes.count();
    // Before the last look the end is known, not after it.
    const bool isLast = ended.isSet();
    result = co_await drain(source, responder);
    if (!result || isLast) break;
    const auto changed = co_await changes.after(seen);
    if (!changed) result = changed.error();
  }
  scope.cancel();
  co_await scope.join();
  co_return result;
}

async::Task<> Logs::notifyOfChanges(std::shared_ptr<async::FileWatch> watch, async::Notification changes) {
  while (true) {
    const auto happened = co_await watch->next();
    if (!happened) co_return;
    if (std::any_of(happened->begin(), happened->end(), mayConcernLogs)) changes.notify();
  }
}

async::Task<> Logs::notifyOfEnd(ContainerId id, async::Event ended, async::Notification changes) {
  const auto termination = co_await containers_.wait(std::move(id));
  if (!termination && termination.error().code() == Code::Cancelled) co_return;
  ended.set();
  changes.notify();
}

}  // namespace gantry::agent::api
