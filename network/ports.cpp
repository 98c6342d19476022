#include "network/ports.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <cerrno>

#include <random>

#include <fmt/format.h>

#include "kernel/fd.hpp"

namespace gantry::network {
namespace {

// SO_REUSEADDR: connections that linger do not hold a port, a listening socket does.
bool canBind(const sockaddr* address, socklen_t size, Protocol protocol) {
  const int type = protocol == Protocol::Tcp ? SOCK_STREAM : SOCK_DGRAM;
  const kernel::Fd socket(::socket(address->sa_family, type | SOCK_CLOEXEC, 0));
  if (!socket) return true;  // a host without IPv6
  const int on = 1;
  // For datagram sockets reuse would let us share a port that is in use.
  if (protocol == Protocol::Tcp) ::setsockopt(socket.raw(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address->sa_family == AF_INET6) ::setsockopt(socket.raw(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  return ::bind(socket.raw(), address, size) == 0 || errno != EADDRINUSE;
}

}  // namespace

std::string_view toString(Protocol protocol) {
  return protocol == Protocol::Tcp ? "tcp" : "udp";
}

PortTable::PortTable(const HostPorts& host) : host_(host) {
  std::random_device random;
  lastPicked_ = std::uniform_int_distribution<std::uint16_t>(kFirstPicked, kLastPicked)(random);
}

bool KernelHostPorts::isInUse(std::uint16_t port, Protocol protocol) const {
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_port = htons(port);
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(port);
  return !canBind(reinterpret_cast<const sockaddr*>(&four), sizeof four, protocol) ||
         !canBind(reinterpret_cast<const sockaddr*>(&six), sizeof six, protocol);
}

Result<std::vector<PortMapping>> PortTable::plan(const std::string& owner, const std::vector<PortMapping>& wanted,
                                                 std::string_view field) const {
  std::vector<PortMapping> given = wanted;
  std::map<Key, std::size_t> here;
  for (std::size_t index = 0; index < wanted.size(); ++index) {
    const auto [hostPort, containerPort, protocol] = wanted[index];
    const std::string name = fmt::format("{}[{}]", field, index);
    if (containerPort == 0) return Error::invalid(name + ".container_port", "must be 1 to 65535");
    if (hostPort == 0) continue;
    const Key key{protocol, hostPort};
    if (!here.try_emplace(key, index).second) {
      return Error::invalid(name + ".host_port", fmt::format("{}/{} is mapped twice", hostPort, toString(protocol)));
    }
    const auto taken = owners_.find(key);
    if (taken != owners_.end() && taken->second == owner) continue;
    if (taken != owners_.end()) {
      return Error(Code::Busy, fmt::format("{}.host_port: {}/{} is already mapped to container '{}'", name, hostPort,
                                           toString(protocol), taken->second));
    }
    if (host_.isInUse(hostPort, protocol)) {
      return Error(Code::Busy, fmt::format("{}.host_port: {}/{} is in use by a program of the host", name, hostPort,
                                           toString(protocol)));
    }
  }
  // Picked last, so that they do not take what a later mapping names.
  for (std::size_t index = 0; index < wanted.size(); ++index) {
    if (given[index].hostPort != 0) continue;
    const auto picked = pick(given[index].protocol, here);
    if (!picked) {
      return Error(Code::Exhausted, fmt::format("{}[{}].host_port: no port from {} to {} is free", field, index,
                                                kFirstPicked, kLastPicked));
    }
    given[index].hostPort = *picked;
    here.emplace(Key{given[index].protocol, *picked}, index);
  }
  return given;
}

Result<std::vector<PortMapping>> PortTable::take(const std::string& owner, const std::vector<PortMapping>& wanted,
                                                 std::string_view field) {
  TRY(std::vector<PortMapping> given, plan(owner, wanted, field));
  restore(owner, given);
  for (std::size_t index = 0; index < wanted.size(); ++index) {
    if (wanted[index].hostPort == 0) lastPicked_ = given[index].hostPort;
  }
  return given;
}

void PortTable::restore(const std::string& owner, const std::vector<PortMapping>& held) {
  for (const PortMapping& mapping : held) owners_[Key{mapping.protocol, mapping.hostPort}] = owner;
}

void PortTable::release(const std::string& owner) {
  std::erase_if(owners_, [&](const auto& entry) { return entry.second == owner; });
}

// Goes on where the last pick was, so that a port is not given out again the moment it was released.
std::optional<std::uint16_t> PortTable::pick(Protocol protocol, const std::map<Key, std::size_t>& here) const {
  constexpr int kCount = kLastPicked - kFirstPicked + 1;
  for (int step = 1; step <= kCount; ++step) {
    const auto port = static_cast<std::uint16_t>(kFirstPicked + (lastPicked_ - kFirstPicked + step) % kCount);
    const Key key{protocol, port};
    if (!owners_.contains(key) && !here.contains(key) && !host_.isInUse(port, protocol)) return port;
  }
  return std::nullopt;
}

}  // namespace gantry::network
