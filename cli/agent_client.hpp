// The agent as the command line sees it: requests over its Unix socket or TCP, and errors as sentences for the user.
#pragma once

#include <string>

#include "async/task.hpp"
#include "http/client.hpp"
#include "http/recordio.hpp"

namespace gantry::cli {

inline constexpr const char* kDefaultAgent = "unix:///run/gantry/agent.sock";

// A value; every request is a connection of its own.
class AgentClient {
 public:
  explicit AgentClient(http::Endpoint endpoint) : endpoint_(std::move(endpoint)) {}
  // `option` is --agent; empty: $GANTRY_AGENT, else the default socket.
  static Result<AgentClient> fromOption(const std::string& option);

  // The body of a 2xx answer. Other answers are errors with the agent's sentence: NotFound for 404, AlreadyExists for
  // 409, InvalidArgument for 400, Internal for the rest.
  async::Task<Result<std::string>> get(std::string target) const;
  async::Task<Result<http::Response>> post(std::string target, std::string json) const;
  async::Task<Result<void>> remove(std::string target) const;
  // POST /api/v1.
  async::Task<Result<std::string>> call(std::string json) const;

  // Sends a request whose answer is a stream of records; errors likewise.
  async::Task<Result<http::ExchangePtr>> stream(std::string method, std::string target, std::string json) const;
  // Begins an ATTACH_CONTAINER_INPUT with its first record; the caller writes more, ends the body and awaits the
  // response.
  async::Task<Result<http::ExchangePtr>> openInput(std::string firstRecord) const;

 private:
  async::Task<Result<http::Response>> fetch(http::ClientRequest request) const;
  // Adds where the agent was looked for, and what may help.
  Error explain(const Error& error) const;

  http::Endpoint endpoint_;
};

// The error for an answer that is not 2xx.
Error errorOf(int status, const std::string& body);

}  // namespace gantry::cli
