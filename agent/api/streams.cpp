#include "agent/api/streams.hpp"

#include <csignal>

#include "agent/api/reply.hpp"
#include "base/scope_exit.hpp"

namespace gantry::agent::api {
namespace {

// Between the container and a slow client: so many pieces of at most 32 KiB wait here.
constexpr std::size_t kQueuedRecords = 8;

http::Response attachFailure(const Error& error) {
  return http::textResponse(error.code() == Code::NotFound ? 404 : 500, error.message());
}

http::Response sessionFailure(const Error& error) {
  return http::textResponse(error.code() == Code::NotFound ? 404 : 400, error.message());
}

// What of `input` goes to the container: everything but who it is for, and heartbeats.
async::Task<Result<void>> apply(wire::InputRecord input, std::shared_ptr<Attachment> attachment) {
  if (auto* data = std::get_if<wire::StdinData>(&input)) {
    // Nothing is how Mesos' clients spell the end of input.
    if (data->data.empty()) co_return co_await attachment->closeStdin();
    co_return co_await attachment->writeStdin(std::move(data->data));
  }
  if (const auto* window = std::get_if<wire::WindowSize>(&input)) {
    co_return co_await attachment->resize(window->rows, window->columns);
  }
  if (std::holds_alternative<ContainerId>(input)) {
    co_return Error::invalid("attach_container_input.type", "must be PROCESS_IO after the first record");
  }
  co_return Result<void>();
}

// The output is somebody else's.
async::Task<> untilEnded(std::shared_ptr<Attachment> attachment) {
  while (true) {
    const auto chunk = co_await attachment->read();
    if (!chunk || !*chunk) co_return;
  }
}

// Two coroutines of which the first to end ends the other.
async::Task<> endTogether(async::Task<> work, std::shared_ptr<async::Scope> scope) {
  co_await std::move(work);
  scope->cancel();
}

async::Task<> keepResult(async::Task<Result<void>> work, std::shared_ptr<Result<void>> into) {
  *into = co_await std::move(work);
}

}  // namespace

http::Response streamHead(const Form& form) {
  http::Response head(200);
  if (form.responseStream) {
    head.headers.set("Content-Type", "application/recordio");
    head.headers.set("Message-Content-Type", std::string(wire::contentType(form.response)));
  } else {
    head.headers.set("Content-Type", std::string(wire::contentType(form.response)));
  }
  return head;
}

async::Task<> Streams::output(ContainerId id, Form form, http::ResponderPtr responder) {
  auto attached = co_await containers_.attach(std::move(id), Attachment::Ends::Both);
  if (!attached) {
    co_await reply(std::move(responder), attachFailure(attached.error()));
    co_return;
  }
  std::shared_ptr<Attachment> attachment = std::move(*attached);
  auto sent = co_await send(std::move(attachment), form, std::move(responder));
  ignore(std::move(sent), "the client is gone");
}

async::Task<> Streams::session(SessionRequest request, Form form, http::ResponderPtr responder) {
  const ContainerId id = request.id;
  const auto launched = co_await containers_.launchSession(std::move(request));
  if (!launched) {
    co_await reply(std::move(responder), sessionFailure(launched.error()));
    co_return;
  }
  auto attached = co_await containers_.attach(id, Attachment::Ends::Both);
  Result<void> sent;
  if (attached) {
    std::shared_ptr<Attachment> attachment = std::move(*attached);
    sent = co_await send(std::move(attachment), form, std::move(responder));
  } else {
    sent = attached.error();
    co_await reply(std::move(responder), attachFailure(attached.error()));
  }
  if (sent) co_return;
  auto kill = containers_.kill(id, SIGKILL);
  auto killed = co_await async::shield(std::move(kill));
  ignore(std::move(killed), "it has ended");
}

// Heartbeats and output come from two coroutines, and an answer is written by one.
async::Task<Result<void>> Streams::send(std::shared_ptr<Attachment> attachment, Form form,
                                        http::ResponderPtr responder) {
  auto begun = co_await responder->begin(streamHead(form));
  if (!begun) co_return begun;
  async::Scope scope(executor_);
  const Records records(executor_, kQueuedRecords);
  scope.spawn(readOutput(attachment, form.response, records));
  scope.spawn(beat(form.response, records));
  Result<void> sent;
  while (sent) {
    auto record = co_await records.receive();
    if (!record) {
      sent = record.error();
    } else if (!*record) {
      sent = co_await responder->end();
      break;
    } else {
      sent = co_await responder->write(std::move(**record));
    }
  }
  scope.cancel();
  co_await scope.join();
  co_return sent;
}

async::Task<> Streams::readOutput(std::shared_ptr<Attachment> attachment, wire::Media media, Records records) {
  while (true) {
    auto chunk = co_await attachment->read();
    if (!chunk || !*chunk) break;
    std::string record = http::encodeRecord(wire::encodeOutput(**chunk, media));
    const auto queued = co_await records.send(std::move(record));
    if (!queued) break;
  }
  records.close();
}

async::Task<> Streams::beat(wire::Media media, Records records) {
  while (true) {
    const auto slept = co_await async::sleep(heartbeat_);
    if (!slept) co_return;
    // A full queue is sign of life enough.
    records.trySend(http::encodeRecord(wire::encodeHeartbeat(heartbeat_, media)));
  }
}

async::Task<> Streams::input(http::RequestPtr request, Form form, http::ResponderPtr responder) {
  request->body->expectStream();
  const auto records = std::make_shared<http::RecordReader>(request->body);
  auto first = co_await records->next();
  if (!first) {
    co_await reply(std::move(responder), http::bodyErrorResponse(first.error()));
    co_return;
  }
  if (!*first) {
    co_await reply(std::move(responder), http::textResponse(400, "Expecting a first record that names the container"));
    co_return;
  }
  const auto parsed = wire::parseInputRecord(**first, form.request);
  if (!parsed) {
    const int status = parsed.error().code() == Code::Unsupported ? 415 : 400;
    co_await reply(std::move(responder), http::textResponse(status, parsed.error().message()));
    co_return;
  }
  const auto* id = std::get_if<ContainerId>(&*parsed);
  if (id == nullptr) {
    co_await reply(std::move(responder),
                   http::textResponse(400, "attach_container_input.type: must be CONTAINER_ID in the first record"));
    co_return;
  }
  auto response = co_await takeInput(*id, records, form.request);
  co_await reply(std::move(responder), std::move(response));
}

async::Task<http::Response> Streams::takeInput(ContainerId id, std::shared_ptr<http::RecordReader> records,
                                               wire::Media media) {
  if (!held_.insert(id).second) {
    co_return http::textResponse(409, "the input of container '" + id.text() + "' is attached already");
  }
  const ScopeExit giveBack([this, id] { held_.erase(id); });
  auto attached = co_await containers_.attach(id, Attachment::Ends::Input);
  if (!attached) co_return attachFailure(attached.error());
  const std::shared_ptr<Attachment> attachment = std::move(*attached);

  const auto scope = std::make_shared<async::Scope>(executor_);
  const auto taken = std::make_shared<Result<void>>();
  auto taking = keepResult(take(records, media, attachment), taken);
  scope->spawn(endTogether(std::move(taking), scope));
  scope->spawn(endTogether(untilEnded(attachment), scope));
  co_await scope->join();
  // Cancelled: the container ended first, which is as good an end as the client's.
  if (*taken || taken->error().code() == Code::Cancelled || taken->error().code() == Code::Unavailable) {
    co_return http::Response(200);
  }
  co_return http::textResponse(400, taken->error().message());
}

async::Task<Result<void>> Streams::take(std::shared_ptr<http::RecordReader> records, wire::Media media,
                                        std::shared_ptr<Attachment> attachment) {
  while (true) {
    CO_TRY(auto record, co_await records->next());
    if (!record) co_return Result<void>();
    CO_TRY(auto input, wire::parseInputRecord(*record, media));
    CO_TRY_VOID(co_await apply(std::move(input), attachment));
  }
}

}  // namespace gantry::agent::api
