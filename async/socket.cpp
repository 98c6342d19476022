#include "async/socket.hpp"

#include <sys/socket.h>
#include <cerrno>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fmt/format.h>

#include "async/time.hpp"
#include "async/waiting.hpp"

namespace gantry::async {
namespace {

Result<StreamPtr> streamOn(const Executor& executor, kernel::Fd socket, bool tcp) {
  Peer peer;
  peer.address = kernel::peerAddress(socket);
  if (tcp) {
    kernel::setNoDelay(socket);
  } else {
    TRY(peer.credentials, kernel::peerCredentials(socket));
  }
  TRY(Descriptor descriptor, Descriptor::adopt(executor, std::move(socket)));
  return streamOver(std::move(descriptor), std::move(peer));
}

Task<Result<StreamPtr>> connectTo(std::string ip, std::uint16_t port) {
  const Executor executor = co_await currentExecutor();
  CO_TRY(kernel::Fd socket, kernel::connectTcp(ip, port));
  CO_TRY(Descriptor descriptor, Descriptor::adopt(executor, std::move(socket)));
  CO_TRY_VOID(co_await descriptor.writable());
  CO_TRY_VOID(kernel::connectError(descriptor.fd()).under(fmt::format("{}:{}", ip, port)));
  kernel::setNoDelay(descriptor.fd());
  Peer peer;
  peer.address = kernel::peerAddress(descriptor.fd());
  co_return streamOver(std::move(descriptor), std::move(peer));
}

Task<Result<StreamPtr>> acceptOn(const Descriptor* socket, Executor executor, bool tcp) {
  while (socket->fd()) {
    CO_TRY(std::optional<kernel::Fd> connection, kernel::accept(socket->fd()));
    if (connection) {
      auto stream = streamOn(executor, std::move(*connection), tcp);
      // One that is gone already is not worth an error.
      if (stream) co_return stream;
      continue;
    }
    CO_TRY_VOID(co_await socket->readable());
  }
  co_return cancelledError();
}

// A Unix socket's queue of connections may be full for a moment.
constexpr Duration kRetryBusy = std::chrono::milliseconds(5);
constexpr int kBusyRetries = 200;

}  // namespace

Result<Listener> Listener::onTcp(Executor executor, const std::string& ip, std::uint16_t port) {
  TRY(kernel::Fd socket, kernel::listenTcp(ip, port));
  const std::uint16_t bound = kernel::localPort(socket);
  TRY(Descriptor descriptor, Descriptor::adopt(executor, std::move(socket)));
  return Listener(std::move(executor), std::move(descriptor), bound, true);
}

Result<Listener> Listener::onUnix(Executor executor, const std::string& path, mode_t mode) {
  TRY(kernel::Fd socket, kernel::listenUnix(path, SOCK_STREAM, mode));
  TRY(Descriptor descriptor, Descriptor::adopt(executor, std::move(socket)));
  return Listener(std::move(executor), std::move(descriptor), 0, false);
}

Task<Result<StreamPtr>> Listener::accept() const {
  return acceptOn(&socket_, executor_, tcp_);
}

Task<Result<std::vector<std::string>>> lookUp(std::string host) {
  const Executor executor = co_await currentExecutor();
  const bool already = co_await isCancelled();
  if (already) co_return cancelledError();
  boost::system::error_code failure;
  // The resolver has one thread for everybody: what needs no looking up does not wait behind what does.
  boost::asio::ip::make_address(host, failure);
  if (!failure) co_return std::vector<std::string>{host};
  boost::asio::ip::tcp::resolver resolver(executor);
  auto token = boost::asio::redirect_error(boost::asio::use_awaitable, failure);
  const std::string_view anyService;
  const auto found = co_await resolver.async_resolve(host, anyService, token);
  if (failure == boost::asio::error::operation_aborted) co_return cancelledError();
  if (failure) co_return Error(Code::NotFound, fmt::format("look up '{}': {}", host, failure.message()));
  std::vector<std::string> addresses;
  for (const auto& entry : found) addresses.push_back(entry.endpoint().address().to_string());
  if (addresses.empty()) co_return Error(Code::NotFound, fmt::format("'{}' has no address", host));
  co_return addresses;
}

Task<Result<std::string>> lookUpName(std::string address) {
  const Executor executor = co_await currentExecutor();
  const bool already = co_await isCancelled();
  if (already) co_return cancelledError();
  boost::system::error_code failure;
  const auto ip = boost::asio::ip::make_address(address, failure);
  if (failure) co_return Error(Code::InvalidArgument, fmt::format("'{}' is no address", address));
  boost::asio::ip::tcp::resolver resolver(executor);
  const boost::asio::ip::tcp::endpoint endpoint(ip, 0);
  auto token = boost::asio::redirect_error(boost::asio::use_awaitable, failure);
  const auto found = co_await resolver.async_resolve(endpoint, token);
  if (failure == boost::asio::error::operation_aborted) co_return cancelledError();
  if (failure) co_return Error(Code::NotFound, fmt::format("name of '{}': {}", address, failure.message()));
  std::string name = found.empty() ? address : found.begin()->host_name();
  if (name == address) co_return Error(Code::NotFound, fmt::format("'{}' has no name", address));
  co_return name;
}

Task<Result<StreamPtr>> connectTcp(std::string host, std::uint16_t port) {
  CO_TRY(const auto addresses, co_await lookUp(host));
  Error last(Code::NotFound, fmt::format("'{}' has no address", host));
  for (const std::string& address : addresses) {
    auto stream = co_await connectTo(address, port);
    if (stream || stream.error().code() == Code::Cancelled) co_return stream;
    last = std::move(stream).error();
  }
  co_return std::move(last).under("connect to '" + host + "'");
}

Task<Result<StreamPtr>> connectUnix(std::string path) {
  const Executor executor = co_await currentExecutor();
  auto socket = kernel::connectUnix(path, SOCK_STREAM);
  for (int tries = 0; !socket && socket.error().number() == EAGAIN && tries < kBusyRetries; ++tries) {
    CO_TRY_VOID(co_await sleep(kRetryBusy));
    socket = kernel::connectUnix(path, SOCK_STREAM);
  }
  if (!socket) co_return std::move(socket).error();
  co_return streamOn(executor, std::move(*socket), false);
}

Result<PacketSocket> PacketSocket::connect(Executor executor, const std::string& path) {
  TRY(kernel::Fd socket, kernel::connectUnix(path, SOCK_SEQPACKET));
  return adopt(std::move(executor), std::move(socket));
}

Result<PacketSocket> PacketSocket::adopt(Executor executor, kernel::Fd socket) {
  TRY(Descriptor descriptor, Descriptor::adopt(std::move(executor), std::move(socket)));
  return PacketSocket(std::move(descriptor));
}

Task<Result<std::string>> PacketSocket::receive(std::size_t limit) const {
  while (true) {
    if (!socket_.fd()) co_return cancelledError();
    CO_TRY(auto packet, kernel::receivePacket(socket_.fd(), limit));
    if (packet) co_return std::move(*packet);
    CO_TRY_VOID(co_await socket_.readable());
  }
}

Task<Result<void>> PacketSocket::send(std::string packet) const {
  while (true) {
    if (!socket_.fd()) co_return cancelledError();
    CO_TRY(const bool sent, kernel::sendPacket(socket_.fd(), packet));
    if (sent) co_return Result<void>();
    CO_TRY_VOID(co_await socket_.writable());
  }
}

}  // namespace gantry::async
