// Sending whole answers.
#pragma once

#include "async/task.hpp"
#include "http/message.hpp"
#include "http/router.hpp"

namespace gantry::agent::api {

// Sends, and does not care when the client is gone.
async::Task<> reply(http::ResponderPtr responder, http::Response response);

http::Response jsonResponse(std::string body);
// As a script that calls the function of the request's `jsonp` parameter, when it has one: how a web page of another
// host (Mesos' web UI) reads it. 400 when that is no name of a function.
http::Response jsonResponse(const http::Request& request, std::string body);

}  // namespace gantry::agent::api
