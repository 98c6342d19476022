#include "agent/api/reply.hpp"

namespace gantry::agent::api {

async::Task<> reply(http::ResponderPtr responder, http::Response response) {
  auto sent = co_await responder->send(std::move(response));
  ignore(std::move(sent), "the client is gone");
}

http::Response jsonResponse(std::string body) {
  return {200, "application/json", std::move(body)};
}

}  // namespace gantry::agent::api
