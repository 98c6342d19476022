// Reading requests of our own paths.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "agent/api/negotiation.hpp"
#include "async/task.hpp"
#include "base/ids.hpp"
#include "http/message.hpp"

namespace gantry::agent::api {

struct Body {
  std::string text;
  Form form;
};
// The body and its form, or the refusal to answer with.
async::Task<std::variant<Body, http::Response>> readBody(http::RequestPtr request);

// The "{id}" of the path.
Result<ContainerId> containerIdOf(const http::Request& request);

// A query parameter "true" or "false"; false when it is missing.
Result<bool> flagOf(const http::Request& request, std::string_view name);

}  // namespace gantry::agent::api
