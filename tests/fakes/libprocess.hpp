// A libprocess program of its own on 127.0.0.1: a messenger behind a real server, on a free port.
#pragma once

#include <memory>
#include <utility>

#include "agent/master/messenger.hpp"
#include "async/run.hpp"
#include "async/socket.hpp"
#include "http/server.hpp"

namespace gantry::fakes {

// Only used on the loop's thread; await stop() before it goes.
class LibprocessProgram {
 public:
  explicit LibprocessProgram(async::Executor executor, agent::master::MessengerOptions options = {},
                             std::uint16_t port = 0)
      : server_(executor, http::Router()) {
    auto listener = async::Listener::onTcp(executor, "127.0.0.1", port);
    ENSURE(listener, "a listening socket for a test");
    options.self = {"127.0.0.1", listener->port()};
    messenger_ = std::make_unique<agent::master::Messenger>(executor, std::move(options));
    server_.setMessages(*messenger_);
    server_.serve(std::move(*listener));
  }

  agent::master::Messenger& messenger() { return *messenger_; }
  agent::master::Address address() const { return messenger_->own("").address; }
  // Connections that others have made to it.
  std::size_t connections() const { return server_.connections(); }

  async::Task<> stop() {
    co_await messenger_->stop(std::chrono::milliseconds(100));
    co_await server_.stop(async::Duration::zero());
  }

 private:
  std::unique_ptr<agent::master::Messenger> messenger_;
  http::Server server_;
};

}  // namespace gantry::fakes
