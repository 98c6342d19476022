#include "agent/api/request.hpp"

namespace gantry::agent::api {

async::Task<std::variant<Body, http::Response>> readBody(http::RequestPtr request) {
  using Outcome = std::variant<Body, http::Response>;
  auto negotiated = negotiate(request->headers);
  if (auto* refusal = std::get_if<http::Response>(&negotiated)) co_return Outcome(std::move(*refusal));
  const Form form = std::get<Form>(negotiated);
  if (form.requestStream) co_return Outcome(http::textResponse(415, "the body of this request is not a stream"));
  auto text = co_await http::readAll(request->body, http::kServersLimit);
  if (!text) co_return Outcome(http::bodyErrorResponse(text.error()));
  Body body{std::move(*text), form};
  co_return Outcome(std::move(body));
}

Result<ContainerId> containerIdOf(const http::Request& request) {
  return ContainerId::parse(request.parameters.at("id"));
}

Result<bool> flagOf(const http::Request& request, std::string_view name) {
  const auto found = request.query.find(std::string(name));
  if (found == request.query.end()) return false;
  if (found->second == "true") return true;
  if (found->second == "false") return false;
  return Error::invalid(name, "must be true or false");
}

}  // namespace gantry::agent::api
