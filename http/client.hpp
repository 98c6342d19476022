// An HTTP/1.1 client: one connection for each exchange.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "async/stream.hpp"
#include "http/message.hpp"

namespace gantry::http {

// Where a server listens.
struct Endpoint {
  // Set: a Unix socket.
  std::string unixPath;
  std::string host;
  std::uint16_t port = 0;

  bool operator==(const Endpoint&) const = default;
};
// "unix:///run/gantry/agent.sock", "http://host:5051", "http://[::1]:5051", "host:5051". InvalidArgument otherwise.
Result<Endpoint> parseEndpoint(std::string_view text);
// As parseEndpoint reads it.
std::string toString(const Endpoint& endpoint);

struct ClientRequest {
  std::string method = "GET";
  // With query, encoded: "/files/read?path=a%20b".
  std::string target = "/";
  Headers headers;
  std::string body;
  // The body is streamed with Exchange::write() and endBody(); `body` is its first piece.
  bool streamBody = false;
};

// The status and header of what came back; the body follows.
struct ResponseHead {
  int status = 0;
  Headers headers;
};

// One request and its response. Writing and reading may go on side by side, in one coroutine each. Destroying it closes
// the connection. Only used on the loop's thread; outlives its pending operations.
class Exchange {
 public:
  virtual ~Exchange() = default;
  // With streamBody.
  virtual async::Task<Result<void>> write(std::string piece) = 0;
  virtual async::Task<Result<void>> endBody() = 0;
  // Waits for the response to begin. Unavailable when the server is gone, InvalidArgument when it does not speak HTTP.
  virtual async::Task<Result<ResponseHead>> response() = 0;
  // After response().
  virtual BodyReaderPtr body() = 0;
  // Ends pending operations with Cancelled.
  virtual void close() = 0;
};
using ExchangePtr = std::shared_ptr<Exchange>;

// Connects and sends the request. No deadline of its own: see async::withTimeout.
async::Task<Result<ExchangePtr>> exchange(Endpoint endpoint, ClientRequest request);
// The same over a connected stream.
async::Task<Result<ExchangePtr>> exchangeOver(async::StreamPtr stream, ClientRequest request);
// The whole response, whatever its status; a body above `limit` is Exhausted.
async::Task<Result<Response>> fetch(Endpoint endpoint, ClientRequest request, std::size_t limit = 64U << 20U);

}  // namespace gantry::http
