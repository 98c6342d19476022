// Sockets: TCP over literal addresses, Unix sockets by path, packets. All are close-on-exec; the ones made here are
// non-blocking. "Would block" is not an error but an empty optional.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "kernel/fd.hpp"

namespace gantry::kernel {

// Who connected to a Unix socket, as of connect(2) (SO_PEERCRED).
struct PeerCredentials {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
};

// `ip` is a literal IPv4 or IPv6 address; with SO_REUSEADDR. Port 0 takes a free one. AlreadyExists when it is taken.
Result<Fd> listenTcp(const std::string& ip, std::uint16_t port, int backlog = 1024);
// `type` is SOCK_STREAM or SOCK_SEQPACKET. Paths above the 107 bytes of sockaddr_un work: the parent directory is named
// by descriptor. The socket file has `mode` from the start. A file left behind by a listener that is gone is replaced;
// AlreadyExists when one still listens there.
Result<Fd> listenUnix(const std::string& path, int type, mode_t mode, int backlog = 128);
// Nothing when no connection waits.
Result<std::optional<Fd>> accept(const Fd& listener);
// Begins to connect; done when it is writable and connectError() says so.
Result<Fd> connectTcp(const std::string& ip, std::uint16_t port);
// NotFound without a socket file, Unavailable when nobody listens.
Result<Fd> connectUnix(const std::string& path, int type);
// SO_ERROR of a socket that became writable.
Result<void> connectError(const Fd& socket);

// "127.0.0.1:40112", "[::1]:80", "unix".
std::string peerAddress(const Fd& socket);
std::uint16_t localPort(const Fd& socket);
Result<PeerCredentials> peerCredentials(const Fd& socket);
// TCP_NODELAY; nothing for other sockets.
void setNoDelay(const Fd& socket);
// shutdown(SHUT_WR).
void closeWrite(const Fd& socket);

// One packet; empty at the end of the connection. One longer than `limit` is Exhausted.
Result<std::optional<std::string>> receivePacket(const Fd& socket, std::size_t limit);
// False when the queue is full.
Result<bool> sendPacket(const Fd& socket, std::string_view packet);
// One datagram to a Unix socket's path, or "@name" for an abstract one (sd_notify's protocol).
Result<void> sendDatagram(const std::string& path, std::string_view data);

}  // namespace gantry::kernel
