// Messages between libprocess programs: ours out, on one connection for each address, and those of others in, which the
// HTTP server hands over. A message is a POST that nobody answers; one that cannot be delivered is lost without a word,
// unless its receiver was linked. Reference: libprocess, 2 to 4.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "agent/master/upid.hpp"
#include "async/scope.hpp"
#include "async/stream.hpp"
#include "async/task.hpp"
#include "async/time.hpp"
#include "http/router.hpp"

namespace gantry::agent::master {

// Opens a connection to an address: plain TCP, or TLS over it. `name` is who a certificate must be for; "": the
// address.
using Connect = std::function<async::Task<Result<async::StreamPtr>>(Address to, std::string name)>;
Connect plainConnect();

struct MessengerOptions {
  // What others are told to answer to: the advertised address.
  Address self;
  Connect connect = plainConnect();
  // What may wait for one address; messages beyond that are dropped, and the log says so.
  std::size_t queue = 64U << 20U;
  async::Duration connectTimeout = std::chrono::seconds(30);
  // How long a connection that is no longer needed waits for the other side to take what was sent.
  async::Duration linger = std::chrono::seconds(5);
  // Refuses messages whose sender claims another address than the one they come from
  // (LIBPROCESS_REQUIRE_PEER_ADDRESS_IP_MATCH).
  bool requirePeerMatch = false;
};

// Only used on the agent's thread. Outlives the server whose messages it takes; await stop() before it goes.
class Messenger : public http::MessageReceiver {
 public:
  // `name` is the message's type ("mesos.internal.PingSlaveMessage"), `body` its bytes.
  using Handler = std::function<void(const Upid& from, const std::string& name, const std::string& body)>;

  Messenger(async::Executor executor, MessengerOptions options);
  Messenger(const Messenger&) = delete;
  Messenger& operator=(const Messenger&) = delete;
  ~Messenger() override;

  // The local process `id` as others name it.
  Upid own(std::string id) const;
  // From now on messages to the local process `id` go to `handler`.
  void add(std::string id, Handler handler);
  void remove(const std::string& id);

  // Sends from the local process `from`. Messages to one address arrive in order, or not at all; those to the empty
  // UPID are dropped.
  void send(const std::string& from, const Upid& to, std::string_view name, const std::string& body);
  // Keeps a connection to the program of `to` and calls `broken`, once, when it ends or cannot be made. Linking again
  // replaces what an earlier call for the same UPID asked for.
  void link(const Upid& to, std::function<void()> broken);

  // From now on who answers at `to` must have a certificate for this name; "": for its address. Connections go to the
  // address all the same: the one whose messages are taken is the one that is asked.
  void setName(const Address& to, std::string name);

  // Sends what is queued, for at most `patience`, and closes all connections. Links do not break by that.
  async::Task<> stop(async::Duration patience);

  // http::MessageReceiver.
  bool takes(const http::Headers& headers) const override;
  std::optional<http::Response> receive(http::Message message) override;

 private:
  struct Outbound;
  struct State;

  std::shared_ptr<State> state_;
};

// The bytes of one message.
std::string encodeMessage(const Upid& from, const Upid& to, std::string_view name, const std::string& body);

}  // namespace gantry::agent::master
