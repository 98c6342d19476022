// An HTTP/1.1 server over byte streams: keep-alive, pipelining, streamed bodies both ways, 100-continue, limits. Whole
// answers from 1 KiB on are compressed for clients that take gzip.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "async/scope.hpp"
#include "async/socket.hpp"
#include "async/stream.hpp"
#include "http/router.hpp"

namespace gantry::http {

struct ServerLimits {
  // Request line and header fields together; more is 431.
  std::size_t header = 32U << 10U;
  // A body above this is 413, unless the handler said expectStream().
  std::size_t body = 8U << 20U;
  // A message's body above this is 413.
  std::size_t message = 64U << 20U;
  // For a header that has begun to come, and for each piece of a body; more is 408. Also how long a client may leave a
  // whole answer unread; a streamed one waits for its client, as an attached terminal does.
  async::Duration progress = std::chrono::seconds(30);
  // Between two requests of one connection, unless it has carried a message: such a connection is kept for as long as
  // the other side wants, since closing it tells a libprocess program that we are gone.
  async::Duration idle = std::chrono::seconds(120);
  std::size_t connections = 4096;
};

// What was answered; for metrics and the access log.
struct Served {
  std::string_view method;
  std::string_view path;
  int status = 0;
  async::Duration duration{};
};

// Only used on the loop's thread. Outlives what it serves: await stop() first.
class Server {
 public:
  Server(async::Executor executor, Router router, ServerLimits limits = {});
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  // Called after each response; must not throw.
  void onServed(std::function<void(const Served&)> observer);
  // Asked before routing; a response here is sent instead (503 while recovering).
  void setGate(std::function<std::optional<Response>(const Request&)> gate);

  // Hands messages to `receiver`, past the gate and the routes. It outlives this.
  void setMessages(MessageReceiver& receiver);

  // What is done with a connection before it is served: TLS, by whoever knows it. Bounded by ServerLimits::progress.
  using Secure = std::function<async::Task<Result<async::StreamPtr>>(async::StreamPtr plain)>;
  // Serves every connection that `listener` accepts, from now until stop(). One that cannot be made secure is closed.
  void serve(async::Listener listener, Secure secure = {});
  // Serves one connection.
  void serve(async::StreamPtr connection);
  // Accepts no more, closes idle connections, lets running handlers go on for `grace` and cancels them then.
  async::Task<> stop(async::Duration grace);

  std::size_t connections() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace gantry::http
