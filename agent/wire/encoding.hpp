// Wire messages to bytes and back, in JSON or protobuf. For the .cpp files of this directory: protobuf stops here.
//
// The JSON form follows Mesos (reference: agent HTTP API, section 1): names as in the .proto files, enums by name,
// bytes as base64, 64-bit integers as numbers (digits in a string are accepted), maps as objects, "Infinity",
// "-Infinity" and "NaN" for the doubles JSON cannot spell. Written: what is set, and unset optional scalars that
// declare a default that is not deprecated; never an empty repeated field. Read: unknown members are ignored, null is
// absent.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "agent/wire/media.hpp"
#include "base/result.hpp"

namespace google::protobuf {
class Message;
}

namespace gantry::agent::wire {

// How deep arrays and objects (or protobuf messages) may stand in one another.
constexpr int kMaxNesting = 200;

// Reads `body` into the empty `message`. InvalidArgument names the field by its path and the reason:
// "launch_container.resources[0].scalar.value: is a string, not a number".
Result<void> decode(std::string_view body, Media media, google::protobuf::Message& message);
std::string encode(const google::protobuf::Message& message, Media media);

// Names of an enum that are not known here are an error, or (from somebody who may be newer) as if they were absent.
enum class UnknownNames { Refuse, PassOver };
Result<void> fromJson(std::string_view text, google::protobuf::Message& message,
                      UnknownNames unknownNames = UnknownNames::Refuse);
std::string toJson(const google::protobuf::Message& message);

}  // namespace gantry::agent::wire
