// Sending whole answers.
#pragma once

#include "async/task.hpp"
#include "http/message.hpp"
#include "http/router.hpp"

namespace gantry::agent::api {

// Sends, and does not care when the client is gone.
async::Task<> reply(http::ResponderPtr responder, http::Response response);

http::Response jsonResponse(std::string body);

}  // namespace gantry::agent::api
