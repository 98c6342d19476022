// The contents of a container's /etc/hosts, /etc/hostname and /etc/resolv.conf.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "network/cni_result.hpp"

namespace gantry::network {

// The usual loopback names, and `hostname` at each of `addresses`; without an address, at 127.0.1.1.
std::string hostsFile(const std::string& hostname, const std::vector<std::string>& addresses);

// For a container in the host's network: `hostFile` is the host's own /etc/hosts, and `hostname` is added to it unless
// it is there.
std::string hostsFileOfHost(const std::string& hostFile, const std::string& hostname);

std::string hostnameFile(const std::string& hostname);

// The host's resolv.conf as a container can use it that does not share the host's loopback: nameservers on loopback
// addresses (systemd-resolved, dnsmasq, unbound) and link-local ones with a zone are left out. When that leaves none,
// `upstream` is used in the same way instead: what systemd-resolved itself asks, /run/systemd/resolve/resolv.conf, or
// empty. Search domains and options stay.
std::string resolverFile(std::string_view host, std::string_view upstream);
// What a network's plug-ins said.
std::string resolverFile(const Dns& dns);

}  // namespace gantry::network
