// The default network: one bridge, and addresses and port mappings by Debian's CNI plug-ins. What one rule for the
// whole bridge does, network/iptables does.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "network/config.hpp"

namespace gantry::network {

inline constexpr const char* kDefaultNetwork = "bridge";

// An IPv4 subnet; host byte order.
struct Subnet {
  std::uint32_t address = 0;
  int prefix = 0;

  bool overlaps(const Subnet& other) const;
  bool operator==(const Subnet&) const = default;
};

// "10.213.0.0/20". InvalidArgument for anything else, for bits set behind the prefix, and for prefixes beyond 8 to 29:
// smaller ones would swallow a whole network, larger ones have no room for containers.
Result<Subnet> parseSubnet(std::string_view text);
std::string toString(const Subnet& subnet);

// Busy when a route in `routes` (the text of /proc/net/route) overlaps `subnet`, naming its interface: the bridge would
// take traffic away from it, or the other way round. The default route and those of interface `own` are fine.
Result<void> checkClash(const Subnet& subnet, std::string_view routes, std::string_view own);

struct BridgeOptions {
  Subnet subnet;
  std::string interface;
  // Keeps the addresses in use, and a mark while there are rules; it should not outlive a reboot, as these do not.
  std::string addressDirectory;
};
// What requests call kDefaultNetwork has the interface's name for the plug-ins: they name chains after the network and
// the container, which two agents on one host (in tests) must not share.
NetworkConfig defaultBridge(const BridgeOptions& options);

}  // namespace gantry::network
