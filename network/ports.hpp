// Host ports that lead into containers: the agent-wide table of who has which.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace gantry::network {

enum class Protocol { Tcp, Udp };
std::string_view toString(Protocol protocol);  // "tcp", "udp", as CNI's portMappings spell it

struct PortMapping {
  std::uint16_t hostPort = 0;  // 0 asks for any free one
  std::uint16_t containerPort = 0;
  Protocol protocol = Protocol::Tcp;

  auto operator<=>(const PortMapping&) const = default;
};

// Whether a socket of the host itself holds the port. Injected, so that tests need no ports of their own.
class HostPorts {
 public:
  virtual ~HostPorts() = default;
  virtual bool isInUse(std::uint16_t port, Protocol protocol) const = 0;
};

// Asks the kernel, by binding the port on every address for a moment. Used from the namespace of the calling thread.
class KernelHostPorts final : public HostPorts {
 public:
  bool isInUse(std::uint16_t port, Protocol protocol) const override;
};

// Host ports 1 to 65535 of each protocol, each with at most one owner. Only used on the agent's thread.
class PortTable {
 public:
  // Ports that hostPort 0 picks from: the usual ephemeral range, where nobody expects a fixed service.
  static constexpr std::uint16_t kFirstPicked = 32768;
  static constexpr std::uint16_t kLastPicked = 60999;

  // `host` is owned by the caller and outlives this. Picking begins anywhere: ports that another engine maps cannot be
  // seen, and are not likely to be hit this way.
  explicit PortTable(const HostPorts& host);

  // What take() would answer; nothing is taken.
  Result<std::vector<PortMapping>> plan(const std::string& owner, const std::vector<PortMapping>& wanted,
                                        std::string_view field) const;
  // Takes all ports of `wanted` for `owner`, or none, and returns them with every 0 replaced. `owner` may hold some
  // already: what it took before is taken again. The n-th mapping's error begins with "<field>[n].host_port".
  // Busy: another owner (named) or a program of the host has it. Exhausted: no free port to pick.
  // InvalidArgument: container port 0, or the same host port twice.
  Result<std::vector<PortMapping>> take(const std::string& owner, const std::vector<PortMapping>& wanted,
                                        std::string_view field);
  // Enters what `owner` is known to hold, after a restart of the agent; asks nobody.
  void restore(const std::string& owner, const std::vector<PortMapping>& held);
  // Gives back everything `owner` holds; nothing is fine.
  void release(const std::string& owner);

 private:
  using Key = std::pair<Protocol, std::uint16_t>;

  // `here`: ports that the request at hand names itself.
  std::optional<std::uint16_t> pick(Protocol protocol, const std::map<Key, std::size_t>& here) const;

  const HostPorts& host_;
  std::map<Key, std::string> owners_;
  std::uint16_t lastPicked_;
};

}  // namespace gantry::network
