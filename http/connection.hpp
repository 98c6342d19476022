// For http/*.cpp only: the server's side of one connection.
//
//   idle ──first byte──▶ header ──▶ handler, reading the body and writing the response ──▶ idle or close
//                                      │ once the whole body was read, the connection is watched beside it
//                                      ▼ client gone: the handler is cancelled
//
// A message is read whole and handed over in the header's place; its connection then stays idle for as long as it
// likes.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "async/event.hpp"
#include "async/stream.hpp"
#include "http/server.hpp"

namespace gantry::http {

// What all connections of a server share; constant while serving.
struct Service {
  Router router;
  ServerLimits limits;
  std::function<void(const Served&)> observer;
  std::function<std::optional<Response>(const Request&)> gate;
  // Null: no request is a message.
  MessageReceiver* messages = nullptr;
};

// Held by its own coroutine, and by what handlers were given.
struct Connection {
  Connection(std::shared_ptr<const Service> what, async::StreamPtr over)
      : service(std::move(what)), stream(std::move(over)) {}

  std::shared_ptr<const Service> service;
  async::StreamPtr stream;
  // What was read and belongs to nothing yet: the rest of a body, or the next request of a pipeline.
  std::string input;
  // Between two requests: may be closed at any time.
  bool idle = true;
  // Kept however long nothing comes.
  bool carriesMessages = false;
  // The current request is the last one.
  bool closing = false;
};

// Serves requests until the connection ends.
async::Task<> serveConnection(std::shared_ptr<Connection> connection);

}  // namespace gantry::http
