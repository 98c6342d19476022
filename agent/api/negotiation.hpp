// Which form a call comes in and its answer wants to go out: Mesos' rules on Content-Type, Accept and their Message-
// companions (reference: agent HTTP API, sections 1 and 4).
#pragma once

#include <variant>

#include "agent/wire/media.hpp"
#include "http/message.hpp"

namespace gantry::agent::api {

struct Form {
  // Of the body, or of each of its records when that is a RecordIO stream.
  wire::Media request = wire::Media::Json;
  bool requestStream = false;
  // Of the answer, or of each record of a streamed one.
  wire::Media response = wire::Media::Json;
  // Only application/recordio is acceptable: right for streamed answers, 406 for all others.
  bool responseStream = false;
};

// The form, or the refusal: 400, 406 or 415.
std::variant<Form, http::Response> negotiate(const http::Headers& headers);

}  // namespace gantry::agent::api
