#include "agent/wire/encoding.hpp"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/message.h>
#include <google/protobuf/stubs/logging.h>

#include <vector>

namespace gantry::agent::wire {
namespace {

Result<void> checkInitialized(const google::protobuf::Message& message) {
  if (message.IsInitialized()) return {};
  std::vector<std::string> missing;
  message.FindInitializationErrors(&missing);
  return Error::invalid(missing.empty() ? "body" : missing.front(), "is required");
}

// The library prints what any client can provoke (strings that are not UTF-8) to standard error.
void silenceLibrary() {
  [[maybe_unused]] static const auto previous = google::protobuf::SetLogHandler(nullptr);
}

Result<void> fromBytes(std::string_view body, google::protobuf::Message& message) {
  silenceLibrary();
  google::protobuf::io::CodedInputStream stream(reinterpret_cast<const std::uint8_t*>(body.data()),
                                                static_cast<int>(body.size()));
  stream.SetRecursionLimit(kMaxNesting);
  if (!message.ParsePartialFromCodedStream(&stream) || !stream.ConsumedEntireMessage()) {
    return Error::invalid("body", "is not a protobuf message of type " + message.GetTypeName());
  }
  return {};
}

}  // namespace

Result<void> decode(std::string_view body, Media media, google::protobuf::Message& message) {
  if (media == Media::Json) {
    TRY_VOID(fromJson(body, message));
  } else {
    TRY_VOID(fromBytes(body, message));
  }
  return checkInitialized(message);
}

std::string encode(const google::protobuf::Message& message, Media media) {
  ENSURE(message.IsInitialized(), "a message of ours lacks a required field");
  return media == Media::Json ? toJson(message) : message.SerializeAsString();
}

}  // namespace gantry::agent::wire
