#include "agent/api/image_paths.hpp"

#include <nlohmann/json.hpp>

#include "agent/api/reply.hpp"
#include "agent/api/request.hpp"
#include "async/scope.hpp"
#include "fetcher/messages.hpp"
#include "http/recordio.hpp"

namespace gantry::agent::api {
namespace {

using nlohmann::json;

// Progress beyond this is dropped while the client does not read.
constexpr std::size_t kQueuedRecords = 64;

struct Wanted {
  std::string reference;
  bool cached = false;
};

Result<Wanted> parseWanted(const std::string& body) {
  const json document = json::parse(body, nullptr, false);
  if (!document.is_object()) return Error::invalid("body", "is not a JSON object");
  Wanted wanted;
  for (const auto& [name, value] : document.items()) {
    if (name == "reference") {
      if (!value.is_string()) return Error::invalid(name, "must be a string");
      wanted.reference = value.get<std::string>();
    } else if (name == "cached") {
      if (!value.is_boolean()) return Error::invalid(name, "must be a boolean");
      wanted.cached = value.get<bool>();
    } else {
      return Error::invalid(name, "is not known");
    }
  }
  if (wanted.reference.empty()) return Error::invalid("reference", "is required");
  return wanted;
}

std::string answerRecord(const fetcher::Answer& answer) {
  return http::encodeRecord(fetcher::toJson(answer));
}

}  // namespace

void ImagePaths::addRoutes(http::Router& router) {
  router.add("GET", "/gantry/v1/images", [this](http::RequestPtr request, http::ResponderPtr responder) {
    return list(std::move(request), std::move(responder));
  });
  router.add("POST", "/gantry/v1/images/pull", [this](http::RequestPtr request, http::ResponderPtr responder) {
    return pull(std::move(request), std::move(responder));
  });
}

async::Task<> ImagePaths::list(http::RequestPtr, http::ResponderPtr responder) {
  std::string body = "{\"images\":[";
  for (const ImageStore::Entry& entry : images_.list()) {
    if (!body.ends_with('[')) body += ',';
    json image = json::parse(fetcher::imageToJson(entry.image));
    image["pulled"] = entry.pulled;
    body += image.dump();
  }
  co_await reply(std::move(responder), jsonResponse(body + "]}"));
}

async::Task<> ImagePaths::pull(http::RequestPtr request, http::ResponderPtr responder) {
  auto body = co_await readBody(request);
  if (auto* refusal = std::get_if<http::Response>(&body)) {
    co_await reply(std::move(responder), std::move(*refusal));
    co_return;
  }
  const Body& message = std::get<Body>(body);
  if (message.form.request != wire::Media::Json) {
    co_await reply(std::move(responder), http::textResponse(415, "Expecting 'Content-Type' of application/json"));
    co_return;
  }
  auto wanted = parseWanted(message.text);
  if (!wanted) {
    co_await reply(std::move(responder), http::errorResponse(wanted.error()));
    co_return;
  }
  http::Response head(200);
  head.headers.set("Content-Type", "application/recordio");
  head.headers.set("Message-Content-Type", "application/json");
  auto sent = co_await responder->begin(std::move(head));

  async::Scope scope(executor_);
  const Records records(executor_, kQueuedRecords);
  scope.spawn(get(std::move(wanted->reference), wanted->cached, records));
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
}

async::Task<> ImagePaths::get(std::string reference, bool cached, Records records) {
  const fetcher::ProgressSink sink = [records](const fetcher::Progress& progress) {
    records.trySend(answerRecord(fetcher::Answer(progress)));
  };
  auto image = co_await images_.get(std::move(reference), cached, sink);
  fetcher::Answer answer = image ? fetcher::Answer(*std::move(image)) : fetcher::Answer(image.error());
  std::string record = answerRecord(answer);
  auto queued = co_await records.send(std::move(record));
  ignore(std::move(queued), "the client is gone");
  records.close();
}

}  // namespace gantry::agent::api
