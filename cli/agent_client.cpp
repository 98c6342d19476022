#include "cli/agent_client.hpp"

#include <fmt/format.h>

#include <cstdlib>

namespace gantry::cli {
namespace {

http::ClientRequest jsonRequest(std::string method, std::string target, std::string body) {
  http::ClientRequest request;
  request.method = std::move(method);
  request.target = std::move(target);
  if (!body.empty()) request.headers.set("Content-Type", "application/json");
  request.body = std::move(body);
  return request;
}

}  // namespace

Error errorOf(int status, const std::string& body) {
  std::string sentence = body.substr(0, body.find_last_not_of(" \r\n") + 1);
  if (sentence.empty()) sentence = fmt::format("the agent answered {} {}", status, http::reasonPhrase(status));
  switch (status) {
    case 400:
    case 413:
      return {Code::InvalidArgument, std::move(sentence)};
    case 404:
      return {Code::NotFound, std::move(sentence)};
    case 409:
      return {Code::AlreadyExists, std::move(sentence)};
    case 503:
      return {Code::Unavailable, std::move(sentence)};
    default:
      return {Code::Internal, std::move(sentence)};
  }
}

Result<AgentClient> AgentClient::fromOption(const std::string& option) {
  std::string text = option;
  const char* variable = std::getenv("GANTRY_AGENT");
  if (text.empty() && variable != nullptr) text = variable;
  if (text.empty()) text = kDefaultAgent;
  TRY(auto endpoint, http::parseEndpoint(text).under("--agent"));
  return AgentClient(std::move(endpoint));
}

Error AgentClient::explain(const Error& error) const {
  const std::string where = http::toString(endpoint_);
  switch (error.code()) {
    case Code::NotFound:
      return {Code::Unavailable,
              fmt::format("no agent runs here: there is no '{}' (start gantry-agent, or name another "
                          "one with --agent)",
                          where)};
    case Code::PermissionDenied:
      return {Code::PermissionDenied,
              fmt::format("no permission to speak to the agent at '{}': try again as root", where)};
    case Code::Unavailable:
      return {Code::Unavailable, fmt::format("the agent at '{}' does not answer: {}", where, error.message())};
    default:
      return error;
  }
}

async::Task<Result<http::Response>> AgentClient::fetch(http::ClientRequest request) const {
  auto response = co_await http::fetch(endpoint_, std::move(request));
  if (!response) co_return explain(response.error());
  if (response->status < 200 || response->status > 299) co_return errorOf(response->status, response->body);
  co_return response;
}

async::Task<Result<std::string>> AgentClient::get(std::string target) const {
  auto request = jsonRequest("GET", std::move(target), {});
  CO_TRY(auto response, co_await fetch(std::move(request)));
  co_return std::move(response.body);
}

async::Task<Result<http::Response>> AgentClient::post(std::string target, std::string json) const {
  auto request = jsonRequest("POST", std::move(target), std::move(json));
  co_return co_await fetch(std::move(request));
}

async::Task<Result<void>> AgentClient::remove(std::string target) const {
  auto request = jsonRequest("DELETE", std::move(target), {});
  auto response = co_await fetch(std::move(request));
  if (!response) co_return std::move(response).error();
  co_return Result<void>();
}

async::Task<Result<std::string>> AgentClient::call(std::string json) const {
  CO_TRY(auto response, co_await post("/api/v1", std::move(json)));
  co_return std::move(response.body);
}

async::Task<Result<http::ExchangePtr>> AgentClient::stream(std::string method, std::string target,
                                                           std::string json) const {
  auto request = jsonRequest(std::move(method), std::move(target), std::move(json));
  request.headers.set("Accept", "application/recordio");
  request.headers.set("Message-Accept", "application/json");
  auto opened = co_await http::exchange(endpoint_, std::move(request));
  if (!opened) co_return explain(opened.error());
  const http::ExchangePtr exchange = std::move(*opened);
  CO_TRY(const http::ResponseHead head, co_await exchange->response());
  if (head.status >= 200 && head.status <= 299) {
    exchange->body()->expectStream();
    co_return exchange;
  }
  CO_TRY(const std::string body, co_await http::readAll(exchange->body()));
  co_return errorOf(head.status, body);
}

async::Task<Result<http::ExchangePtr>> AgentClient::openInput(std::string firstRecord) const {
  http::ClientRequest request;
  request.method = "POST";
  request.target = "/api/v1";
  request.headers.set("Content-Type", "application/recordio");
  request.headers.set("Message-Content-Type", "application/json");
  request.body = http::encodeRecord(firstRecord);
  request.streamBody = true;
  auto opened = co_await http::exchange(endpoint_, std::move(request));
  if (!opened) co_return explain(opened.error());
  co_return std::move(*opened);
}

}  // namespace gantry::cli
