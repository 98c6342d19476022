#include "agent/api/negotiation.hpp"

#include <algorithm>
#include <cctype>
#include <optional>
#include <string_view>

namespace gantry::agent::api {
namespace {

using wire::Media;

constexpr std::string_view kRecordIo = "application/recordio";

std::optional<Media> mediaOf(std::string_view type) {
  for (const Media media : {Media::Json, Media::Protobuf}) {
    if (type == wire::contentType(media)) return media;
  }
  return std::nullopt;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) text.remove_suffix(1);
  return text;
}

std::string_view nextPart(std::string_view& list, char separator) {
  const auto end = list.find(separator);
  const std::string_view part = trim(list.substr(0, end));
  list.remove_prefix(end == std::string_view::npos ? list.size() : end + 1);
  return part;
}

// "q=0", "q=0.0", …: all that is honoured of weights.
bool isExcluded(std::string_view parameters) {
  while (!parameters.empty()) {
    std::string_view parameter = nextPart(parameters, ';');
    if (!parameter.starts_with("q=")) continue;
    parameter.remove_prefix(2);
    return !parameter.empty() && parameter.find_first_not_of("0.") == std::string_view::npos;
  }
  return false;
}

// Whether the list of media ranges (a missing header is everything) takes `type`, "application/json".
bool accepts(std::optional<std::string_view> header, std::string_view type) {
  if (!header || trim(*header).empty()) return true;
  std::string_view list = *header;
  while (!list.empty()) {
    std::string_view parameters = nextPart(list, ',');
    const std::string_view range = nextPart(parameters, ';');
    const bool matches = range == "*/*" || range == type || range == "application/*";
    if (matches && !isExcluded(parameters)) return true;
  }
  return false;
}

std::optional<Media> firstAccepted(std::optional<std::string_view> header) {
  for (const Media media : {Media::Json, Media::Protobuf}) {
    if (accepts(header, wire::contentType(media))) return media;
  }
  return std::nullopt;
}

std::optional<http::Response> readRequestForm(const http::Headers& headers, Form& form) {
  const auto type = headers.find("Content-Type");
  if (!type) return http::textResponse(400, "Expecting 'Content-Type' to be present");
  const auto messageType = headers.find("Message-Content-Type");
  form.requestStream = *type == kRecordIo;
  if (form.requestStream && !messageType) {
    return http::textResponse(400, "Expecting 'Message-Content-Type' to be present with application/recordio");
  }
  if (!form.requestStream && messageType) {
    return http::textResponse(415, "'Message-Content-Type' goes with application/recordio only");
  }
  const auto media = mediaOf(form.requestStream ? *messageType : *type);
  if (!media) {
    return http::textResponse(
        415, form.requestStream ? "Expecting 'Message-Content-Type' of application/json or application/x-protobuf"
                                : "Expecting 'Content-Type' of application/json, application/x-protobuf or "
                                  "application/recordio");
  }
  form.request = *media;
  return std::nullopt;
}

std::optional<http::Response> readResponseForm(const http::Headers& headers, Form& form) {
  const auto accept = headers.find("Accept");
  const auto messageAccept = headers.find("Message-Accept");
  auto media = firstAccepted(accept);
  if (!media) {
    if (!accepts(accept, kRecordIo)) {
      return http::textResponse(
          406, "Expecting 'Accept' to allow application/json, application/x-protobuf or application/recordio");
    }
    form.responseStream = true;
    media = firstAccepted(messageAccept);
    if (!media) {
      return http::textResponse(406, "Expecting 'Message-Accept' to allow application/json or application/x-protobuf");
    }
  } else if (messageAccept) {
    return http::textResponse(406, "'Message-Accept' goes with 'Accept: application/recordio' only");
  }
  form.response = *media;
  return std::nullopt;
}

}  // namespace

std::variant<Form, http::Response> negotiate(const http::Headers& headers) {
  Form form;
  if (auto refusal = readRequestForm(headers, form)) return std::move(*refusal);
  if (auto refusal = readResponseForm(headers, form)) return std::move(*refusal);
  return form;
}

}  // namespace gantry::agent::api
