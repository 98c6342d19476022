#include "http/server.hpp"

#include <unordered_set>

#include "base/log.hpp"
#include "http/connection.hpp"

namespace gantry::http {
namespace {

// How long accepting pauses when we are out of descriptors or have as many connections as we may.
constexpr async::Duration kPause = std::chrono::milliseconds(50);

}  // namespace

struct Server::State {
  State(const async::Executor& executor, Router router, ServerLimits limits)
      : service(std::make_shared<Service>()), listening(executor), serving(executor) {
    service->router = std::move(router);
    service->limits = limits;
  }

  static async::Task<> acceptAll(std::shared_ptr<State> state, std::shared_ptr<async::Listener> listener,
                                 Secure secure);
  static async::Task<> secureAndServe(std::shared_ptr<State> state, async::StreamPtr plain, Secure secure);
  static async::Task<> serveOne(std::shared_ptr<State> state, std::shared_ptr<Connection> connection);

  std::shared_ptr<Service> service;
  async::Scope listening;
  async::Scope serving;
  std::unordered_set<Connection*> connections;
  bool stopping = false;
};

async::Task<> Server::State::serveOne(std::shared_ptr<State> state, std::shared_ptr<Connection> connection) {
  Connection* const key = connection.get();
  state->connections.insert(key);
  if (state->stopping) connection->closing = true;
  co_await serveConnection(std::move(connection));
  state->connections.erase(key);
}

async::Task<> Server::State::secureAndServe(std::shared_ptr<State> state, async::StreamPtr plain, Secure secure) {
  const std::string peer = plain->peer().address;
  async::Task<Result<async::StreamPtr>> securing = secure(std::move(plain));
  auto stream = co_await async::withTimeout(state->service->limits.progress, std::move(securing));
  if (!stream) {
    log::debug("closed a connection that was not made secure", {{"peer", peer}, {"reason", stream.error()}});
    co_return;
  }
  auto connection = std::make_shared<Connection>(state->service, std::move(*stream));
  co_await serveOne(state, std::move(connection));
}

async::Task<> Server::State::acceptAll(std::shared_ptr<State> state, std::shared_ptr<async::Listener> listener,
                                       Secure secure) {
  while (true) {
    if (state->serving.live() >= state->service->limits.connections) {
      const auto paused = co_await async::sleep(kPause);
      if (!paused) co_return;
      continue;
    }
    auto stream = co_await listener->accept();
    if (stream && secure) {
      state->serving.spawn(secureAndServe(state, std::move(*stream), secure));
      continue;
    }
    if (stream) {
      state->serving.spawn(serveOne(state, std::make_shared<Connection>(state->service, std::move(*stream))));
      continue;
    }
    if (stream.error().code() == Code::Cancelled) co_return;
    log::warning("cannot accept a connection, trying again", {{"error", stream.error()}});
    const auto paused = co_await async::sleep(kPause);
    if (!paused) co_return;
  }
}

Server::Server(async::Executor executor, Router router, ServerLimits limits)
    : state_(std::make_shared<State>(executor, std::move(router), limits)) {}

Server::~Server() = default;

void Server::onServed(std::function<void(const Served&)> observer) {
  state_->service->observer = std::move(observer);
}

void Server::setGate(std::function<std::optional<Response>(const Request&)> gate) {
  state_->service->gate = std::move(gate);
}

void Server::setMessages(MessageReceiver& receiver) {
  state_->service->messages = &receiver;
}

void Server::serve(async::Listener listener, Secure secure) {
  state_->listening.spawn(
      State::acceptAll(state_, std::make_shared<async::Listener>(std::move(listener)), std::move(secure)));
}

void Server::serve(async::StreamPtr connection) {
  state_->serving.spawn(State::serveOne(state_, std::make_shared<Connection>(state_->service, std::move(connection))));
}

async::Task<> Server::stop(async::Duration grace) {
  state_->stopping = true;
  state_->listening.cancel();
  co_await state_->listening.join();
  for (Connection* const connection : state_->connections) {
    connection->closing = true;
    if (connection->idle) connection->stream->close();
  }
  co_await state_->serving.joinWithin(grace);
}

std::size_t Server::connections() const {
  return state_->connections.size();
}

}  // namespace gantry::http
