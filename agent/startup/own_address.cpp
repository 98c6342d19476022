#include "agent/startup/own_address.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <array>
#include <cstring>
#include <memory>

#include <fmt/format.h>

#include "agent/startup/startup.hpp"
#include "async/process.hpp"

namespace gantry::agent {
namespace {

constexpr async::Duration kDiscovery = std::chrono::seconds(30);

bool isAddress(const std::string& text) {
  in_addr v4{};
  in6_addr v6{};
  return ::inet_pton(AF_INET, text.c_str(), &v4) == 1 || ::inet_pton(AF_INET6, text.c_str(), &v6) == 1;
}

std::string trimmed(const std::string& text) {
  constexpr auto kSpace = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
}

}  // namespace

async::Task<Result<std::string>> discoverAddress(std::string command) {
  kernel::Command shell;
  shell.program = "/bin/sh";
  shell.arguments = {"-c", command};
  shell.environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
  async::RunOptions options;
  options.deadline = kDiscovery;
  CO_TRY(const async::Output output, co_await async::run(std::move(shell), std::move(options)));
  if (!output.succeeded()) {
    co_return Error(Code::InvalidArgument, fmt::format("'{}' failed: {}", command, trimmed(output.err)));
  }
  std::string address = trimmed(output.out);
  if (!isAddress(address)) {
    co_return Error(Code::InvalidArgument, fmt::format("'{}' printed '{}', which is no address", command, address));
  }
  co_return address;
}

Result<std::string> reachableAddress(const std::string& listening) {
  if (listening != "0.0.0.0" && listening != "::") return listening;
  const std::string host = hostName("");
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failure = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (failure != 0) {
    return Error(Code::NotFound, fmt::format("look up this host's name '{}': {}", host, ::gai_strerror(failure)));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, ::freeaddrinfo);
  std::array<char, INET_ADDRSTRLEN> text{};
  sockaddr_in first{};
  std::memcpy(&first, found->ai_addr, sizeof first);
  ::inet_ntop(AF_INET, &first.sin_addr, text.data(), text.size());
  return std::string(text.data());
}

std::string nameOfAddress(const std::string& address) {
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  v4.sin_family = AF_INET;
  v6.sin6_family = AF_INET6;
  const sockaddr* where = nullptr;
  socklen_t size = 0;
  if (::inet_pton(AF_INET, address.c_str(), &v4.sin_addr) == 1) {
    where = reinterpret_cast<const sockaddr*>(&v4);
    size = sizeof v4;
  } else if (::inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) == 1) {
    where = reinterpret_cast<const sockaddr*>(&v6);
    size = sizeof v6;
  } else {
    return address;
  }
  std::array<char, NI_MAXHOST> name{};
  const int failure = ::getnameinfo(where, size, name.data(), name.size(), nullptr, 0, NI_NAMEREQD);
  return failure == 0 ? std::string(name.data()) : address;
}

}  // namespace gantry::agent
