#include "agent/api/reply.hpp"

#include <algorithm>
#include <cctype>

namespace gantry::agent::api {
namespace {

// "callback", "angular.callbacks._0", "a[1]".
bool isFunctionName(std::string_view text) {
  const auto fits = [](unsigned char letter) {
    return std::isalnum(letter) != 0 || std::string_view("_$.[]").find(static_cast<char>(letter)) != std::string::npos;
  };
  return !text.empty() && text.size() <= 256 && std::ranges::all_of(text, fits);
}

}  // namespace

async::Task<> reply(http::ResponderPtr responder, http::Response response) {
  auto sent = co_await responder->send(std::move(response));
  ignore(std::move(sent), "the client is gone");
}

http::Response jsonResponse(std::string body) {
  return {200, "application/json", std::move(body)};
}

http::Response jsonResponse(const http::Request& request, std::string body) {
  const auto function = request.query.find("jsonp");
  if (function == request.query.end()) return jsonResponse(std::move(body));
  if (!isFunctionName(function->second)) {
    return http::textResponse(400, "jsonp: '" + function->second + "' is no name of a function");
  }
  return {200, "text/javascript", function->second + "(" + body + ");"};
}

}  // namespace gantry::agent::api
