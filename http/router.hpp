// Which handler answers which path.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.hpp"

namespace gantry::http {

// Where a handler's answer goes: either send(), or begin(), write()… and end(). Only used on the loop's thread, by one
// coroutine at a time. Everything fails with Unavailable once the client is gone, and waits while it does not read.
class Responder {
 public:
  virtual ~Responder() = default;
  // The whole response.
  virtual async::Task<Result<void>> send(Response response) = 0;
  // Begins a streamed response with the status, the headers and (if any) the first piece in `head.body`.
  virtual async::Task<Result<void>> begin(Response head) = 0;
  virtual async::Task<Result<void>> write(std::string piece) = 0;
  // A response that was begun and not ended is cut off, so that the client can tell.
  virtual async::Task<Result<void>> end() = 0;
  // Whether send() or begin() was called.
  virtual bool hasBegun() const = 0;
};
using ResponderPtr = std::shared_ptr<Responder>;

// A coroutine, or a function that returns one; its parameters are its own. Once the whole body was read it is cancelled
// when the client goes away; closing its sending side counts as that. One that returns without an answer is answered
// with 500.
using Handler = std::function<async::Task<>(RequestPtr request, ResponderPtr responder)>;

// A request that tells rather than asks; see MessageReceiver.
struct Message {
  // As it was sent: "/slave(1)/mesos.internal.PingSlaveMessage".
  std::string target;
  Headers headers;
  async::Peer peer;
  std::string body;
};

// Takes the requests that are messages: those of one connection in the order in which they came, whatever has become of
// the connection by then. Only used on the loop's thread.
class MessageReceiver {
 public:
  virtual ~MessageReceiver() = default;
  // Whether a POST with these fields is a message.
  virtual bool takes(const Headers& headers) const = 0;
  // Nothing is answered with nothing: not a byte is written.
  virtual std::optional<Response> receive(Message message) = 0;
};

// Built once, before serving; a value.
class Router {
 public:
  // `pattern` is "/files/read" or has whole segments in braces: "/containers/{id}/logs". A GET route answers HEAD, too.
  // A literal segment wins over a parameter.
  void add(std::string method, std::string_view pattern, Handler handler);
  // Paths may begin with `prefix` or leave it out: "/slave(1)".
  void optionalPrefix(std::string_view prefix);
  // Paths may end with `suffix` or leave it out: ".json". One that is found with it is not looked for without.
  void optionalSuffix(std::string suffix);

  struct Match {
    // Null when nothing matched; then `allowed` has the methods that would have, in order.
    const Handler* handler = nullptr;
    std::map<std::string, std::string> parameters;
    std::vector<std::string> allowed;
  };
  // `segments` as splitPath() makes them.
  Match find(std::string_view method, const std::vector<std::string>& segments) const;

 private:
  struct Route {
    std::string method;
    std::vector<std::string> segments;
    Handler handler;
  };

  Match findExactly(std::string_view method, const std::vector<std::string>& path) const;

  std::vector<Route> routes_;
  std::vector<std::vector<std::string>> prefixes_;
  std::string suffix_;
};

// The decoded, non-empty segments of a path. InvalidArgument for a malformed escape, and for "." and "..".
Result<std::vector<std::string>> splitPath(std::string_view path);

}  // namespace gantry::http
