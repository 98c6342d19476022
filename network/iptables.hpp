// The host's packet filter: which iptables works here, and the few rules that the default network has as a whole.
//
// Rules of single containers are the CNI plug-ins' business. Three things are one rule each for the whole bridge, which
// the plug-ins would make anew for each container (or not at all): masquerading, being forwarded on a host that
// forwards nothing by default, and that containers do not reach the host's loopback services through the bridge. They
// are set with iptables-restore, in one transaction for each table, since they must live beside the plug-ins' own: in
// nftables or, on kernels without it, in legacy tables.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "async/task.hpp"
#include "base/result.hpp"
#include "network/bridge.hpp"

namespace gantry::network {

struct Iptables {
  // Absolute paths of the variant that works.
  std::string save;
  std::string restore;
  // PATH for the plug-ins.
  std::string searchPath;
};

// Debian's `iptables` speaks to nftables. On a kernel without that, where the legacy tool works, `directory` is made
// with links that put it first in the plug-ins' PATH. Unavailable when neither works.
async::Task<Result<Iptables>> findIptables(std::string directory);

// The input for iptables-restore --noflush that makes the bridge's rules, given what iptables-save says now. Chains of
// our own are made anew; the jumps to them are added where they are missing.
std::string bridgeRules(const Subnet& subnet, const std::string& interface, std::string_view saved);
// The input that removes them; empty when there are none.
std::string withoutBridgeRules(const std::string& interface, std::string_view saved);

// Runs the program's --save, and --restore with the text that is made of it. Nothing is run for an empty text.
async::Task<Result<void>> setBridgeRules(Iptables iptables, Subnet subnet, std::string interface);
async::Task<Result<void>> removeBridgeRules(Iptables iptables, std::string interface);

}  // namespace gantry::network
