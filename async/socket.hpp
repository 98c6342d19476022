// Connections: listening and connecting on TCP and Unix sockets, and packets on Unix sockets.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "async/descriptor.hpp"
#include "async/stream.hpp"
#include "kernel/socket.hpp"

namespace gantry::async {

// Accepts stream connections. Outlives its pending accept(). Only used on the loop's thread.
class Listener {
 public:
  // `ip` is a literal IPv4 or IPv6 address; port 0 takes a free one. AlreadyExists when the port is taken.
  static Result<Listener> onTcp(Executor executor, const std::string& ip, std::uint16_t port);
  // A socket file with `mode`; one that a dead listener left behind is replaced, a live one's is AlreadyExists.
  static Result<Listener> onUnix(Executor executor, const std::string& path, mode_t mode = 0600);

  // Fails with Cancelled when cancelled or closed; with Exhausted when we are out of descriptors.
  Task<Result<StreamPtr>> accept() const;
  // The port in use; 0 for a Unix socket.
  std::uint16_t port() const { return port_; }
  void close() { socket_.close(); }

 private:
  Listener(Executor executor, Descriptor socket, std::uint16_t port, bool tcp)
      : executor_(std::move(executor)), socket_(std::move(socket)), port_(port), tcp_(tcp) {}

  Executor executor_;
  Descriptor socket_;
  std::uint16_t port_;
  bool tcp_;
};

// The literal addresses of `host`, a name or such an address itself; at least one. NotFound otherwise.
Task<Result<std::vector<std::string>>> lookUp(std::string host);
// The name of a literal address. NotFound when it has none.
Task<Result<std::string>> lookUpName(std::string address);
// `host` is a name or a literal address; names are looked up off the loop's thread.
Task<Result<StreamPtr>> connectTcp(std::string host, std::uint16_t port);
// NotFound when there is no such socket file, Unavailable when nobody listens on it.
Task<Result<StreamPtr>> connectUnix(std::string path);

// A SOCK_SEQPACKET connection: what is sent as one packet is received as one. Outlives its pending operations;
// close() ends them. Only used on the loop's thread.
class PacketSocket {
 public:
  // Connects to the socket file `path`; errors as connectUnix.
  static Result<PacketSocket> connect(Executor executor, const std::string& path);
  // Over a connected socket.
  static Result<PacketSocket> adopt(Executor executor, kernel::Fd socket);

  // The next packet; empty at the end (we never send empty ones). One above `limit` is Exhausted.
  Task<Result<std::string>> receive(std::size_t limit = 64U << 10U) const;
  Task<Result<void>> send(std::string packet) const;
  void close() { socket_.close(); }

 private:
  explicit PacketSocket(Descriptor socket) : socket_(std::move(socket)) {}

  Descriptor socket_;
};

}  // namespace gantry::async
