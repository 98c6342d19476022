#include "kernel/socket.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include <fmt/format.h>

#include "kernel/file.hpp"

namespace gantry::kernel {
namespace {

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

Result<Address> inetAddress(const std::string& ip, std::uint16_t port) {
  Address address;
  auto* const four = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* const six = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (::inet_pton(AF_INET, ip.c_str(), &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    four->sin_port = htons(port);
    address.length = sizeof *four;
    return address;
  }
  if (::inet_pton(AF_INET6, ip.c_str(), &six->sin6_addr) == 1) {
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(port);
    address.length = sizeof *six;
    return address;
  }
  return Error(Code::InvalidArgument, fmt::format("'{}' is not an IP address", ip));
}

// A path, and the descriptor of its directory when the path alone is too long for sockaddr_un.
struct UnixAddress {
  Address address;
  Fd directory;
};

Result<UnixAddress> unixAddress(const std::string& path) {
  UnixAddress result;
  auto* const name = reinterpret_cast<sockaddr_un*>(&result.address.storage);
  std::string text = path;
  if (text.size() >= sizeof name->sun_path) {
    const std::size_t slash = path.rfind('/');
    const std::string parent = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    TRY(result.directory, open(parent, O_PATH | O_DIRECTORY));
    text = fmt::format("/proc/self/fd/{}/{}", result.directory.raw(), path.substr(slash + 1));
  }
  if (text.empty() || text.size() >= sizeof name->sun_path) {
    return Error(Code::InvalidArgument, fmt::format("'{}' does not fit a socket address", path));
  }
  name->sun_family = AF_UNIX;
  std::memcpy(name->sun_path, text.data(), text.size());
  if (text.front() == '@') name->sun_path[0] = '\0';
  result.address.length =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + text.size() + (text[0] == '@' ? 0 : 1));
  return result;
}

Result<Fd> makeSocket(int family, int type) {
  const int raw = ::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (raw < 0) return Error::fromErrno(errno, "make a socket");
  return Fd(raw);
}

Result<Address> localAddress(const Fd& socket) {
  Address address;
  address.length = sizeof address.storage;
  if (::getsockname(socket.raw(), address.get(), &address.length) != 0) return Error::fromErrno(errno, "getsockname");
  return address;
}

std::uint16_t portOf(const Address& address) {
  if (address.storage.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_port);
  }
  if (address.storage.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_port);
  }
  return 0;
}

// Binds with the mode it is to have: chmod afterwards would leave a moment in which anybody may connect.
int bindWithMode(const Fd& socket, const Address& address, mode_t mode) {
  const mode_t before = ::umask(static_cast<mode_t>(~mode) & 0777);
  const int result = ::bind(socket.raw(), address.get(), address.length);
  const int failure = errno;
  ::umask(before);
  errno = failure;
  return result;
}

}  // namespace

Result<Fd> listenTcp(const std::string& ip, std::uint16_t port, int backlog) {
  TRY(const Address address, inetAddress(ip, port));
  TRY(Fd socket, makeSocket(address.storage.ss_family, SOCK_STREAM));
  const int on = 1;
  ::setsockopt(socket.raw(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(socket.raw(), address.get(), address.length) != 0 || ::listen(socket.raw(), backlog) != 0) {
    if (errno == EADDRINUSE) {
      return Error(Code::AlreadyExists, fmt::format("listen on {}:{}: another program uses this port", ip, port));
    }
    return Error::fromErrno(errno, fmt::format("listen on {}:{}", ip, port));
  }
  return socket;
}

Result<Fd> listenUnix(const std::string& path, int type, mode_t mode, int backlog) {
  TRY(const UnixAddress address, unixAddress(path));
  TRY(Fd socket, makeSocket(AF_UNIX, type));
  int bound = bindWithMode(socket, address.address, mode);
  if (bound != 0 && errno == EADDRINUSE) {
    const auto other = connectUnix(path, type);
    if (other || other.error().code() != Code::Unavailable) {
      return Error(Code::AlreadyExists, fmt::format("listen on '{}': another program listens there", path));
    }
    TRY_VOID(unlink(path));
    bound = bindWithMode(socket, address.address, mode);
  }
  if (bound != 0 || ::listen(socket.raw(), backlog) != 0) {
    return Error::fromErrno(errno, fmt::format("listen on '{}'", path));
  }
  return socket;
}

Result<std::optional<Fd>> accept(const Fd& listener) {
  while (true) {
    const int raw = ::accept4(listener.raw(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (raw >= 0) return std::optional<Fd>(Fd(raw));
    if (errno == EAGAIN || errno == EWOULDBLOCK) return std::optional<Fd>();
    // A connection that was reset before we took it is not the listener's trouble.
    if (errno != EINTR && errno != ECONNABORTED) return Error::fromErrno(errno, "accept a connection");
  }
}

Result<Fd> connectTcp(const std::string& ip, std::uint16_t port) {
  TRY(const Address address, inetAddress(ip, port));
  TRY(Fd socket, makeSocket(address.storage.ss_family, SOCK_STREAM));
  if (::connect(socket.raw(), address.get(), address.length) != 0 && errno != EINPROGRESS) {
    return Error::fromErrno(errno, fmt::format("connect to {}:{}", ip, port));
  }
  return socket;
}

Result<Fd> connectUnix(const std::string& path, int type) {
  TRY(const UnixAddress address, unixAddress(path));
  TRY(Fd socket, makeSocket(AF_UNIX, type));
  if (::connect(socket.raw(), address.address.get(), address.address.length) != 0) {
    if (errno == ECONNREFUSED) {
      return Error(Code::Unavailable, fmt::format("connect to '{}': nobody listens there", path));
    }
    return Error::fromErrno(errno, fmt::format("connect to '{}'", path));
  }
  return socket;
}

Result<void> connectError(const Fd& socket) {
  int number = 0;
  socklen_t length = sizeof number;
  if (::getsockopt(socket.raw(), SOL_SOCKET, SO_ERROR, &number, &length) != 0) number = errno;
  if (number == ECONNREFUSED) return Error(Code::Unavailable, "connect: nobody listens there");
  if (number != 0) return Error::fromErrno(number, "connect");
  return {};
}

std::string peerAddress(const Fd& socket) {
  Address address;
  address.length = sizeof address.storage;
  if (::getpeername(socket.raw(), address.get(), &address.length) != 0) return "unknown";
  char text[INET6_ADDRSTRLEN] = {};
  if (address.storage.ss_family == AF_INET) {
    ::inet_ntop(AF_INET, &reinterpret_cast<sockaddr_in*>(&address.storage)->sin_addr, text, sizeof text);
    return fmt::format("{}:{}", text, portOf(address));
  }
  if (address.storage.ss_family == AF_INET6) {
    ::inet_ntop(AF_INET6, &reinterpret_cast<sockaddr_in6*>(&address.storage)->sin6_addr, text, sizeof text);
    return fmt::format("[{}]:{}", text, portOf(address));
  }
  return "unix";
}

std::uint16_t localPort(const Fd& socket) {
  const auto address = localAddress(socket);
  return address ? portOf(*address) : 0;
}

Result<PeerCredentials> peerCredentials(const Fd& socket) {
  ucred credentials{};
  socklen_t length = sizeof credentials;
  if (::getsockopt(socket.raw(), SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) {
    return Error::fromErrno(errno, "read the peer's credentials");
  }
  return PeerCredentials{credentials.pid, credentials.uid, credentials.gid};
}

void setNoDelay(const Fd& socket) {
  const int on = 1;
  ::setsockopt(socket.raw(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void closeWrite(const Fd& socket) {
  ::shutdown(socket.raw(), SHUT_WR);
}

Result<std::optional<std::string>> receivePacket(const Fd& socket, std::size_t limit) {
  std::string packet(limit, '\0');
  ssize_t count = 0;
  do {
    count = ::recv(socket.raw(), packet.data(), packet.size(), MSG_TRUNC);
  } while (count < 0 && errno == EINTR);
  if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return std::optional<std::string>();
  if (count < 0 && errno == ECONNRESET) count = 0;
  if (count < 0) return Error::fromErrno(errno, "receive a packet");
  if (static_cast<std::size_t>(count) > limit) {
    return Error(Code::Exhausted, fmt::format("receive a packet: {} bytes are more than {}", count, limit));
  }
  packet.resize(static_cast<std::size_t>(count));
  return std::optional<std::string>(std::move(packet));
}

Result<bool> sendPacket(const Fd& socket, std::string_view packet) {
  ssize_t count = 0;
  do {
    count = ::send(socket.raw(), packet.data(), packet.size(), MSG_NOSIGNAL);
  } while (count < 0 && errno == EINTR);
  if (count >= 0) return true;
  if (errno == EAGAIN || errno == EWOULDBLOCK) return false;
  if (errno == EPIPE || errno == ECONNRESET) return Error(Code::Unavailable, "send a packet: the other end is gone");
  return Error::fromErrno(errno, "send a packet");
}

Result<void> sendDatagram(const std::string& path, std::string_view data) {
  TRY(const UnixAddress address, unixAddress(path));
  TRY(const Fd socket, makeSocket(AF_UNIX, SOCK_DGRAM));
  if (::sendto(socket.raw(), data.data(), data.size(), MSG_NOSIGNAL, address.address.get(), address.address.length) <
      0) {
    return Error::fromErrno(errno, fmt::format("send to '{}'", path));
  }
  return {};
}

}  // namespace gantry::kernel
