// CNI network configurations: files with one plug-in (*.conf, *.json) or a list (*.conflist), as the CNI specification
// 1.0 ("Section 1: Network configuration format") and the older versions have them.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace gantry::network {

// One plug-in of a network's chain.
struct PluginConfig {
  std::string type;  // the program's name
  // Its own part of the configuration, a JSON object, as the file has it.
  std::string text;
  // What the runtime may tell it through "runtimeConfig", e.g. "portMappings".
  std::set<std::string> capabilities;

  bool operator==(const PluginConfig&) const = default;
};

struct NetworkConfig {
  std::string name;
  std::string version;  // cniVersion; "0.2.0" for files that name none
  std::vector<PluginConfig> plugins;

  bool hasCapability(const std::string& capability) const;
  bool operator==(const NetworkConfig&) const = default;
};

// Names that end up in paths, environment variables and iptables rules: network names by CNI's own rule, plug-in types
// without '/' (CVE-2021-20206). InvalidArgument.
Result<void> checkNetworkName(std::string_view name);
Result<void> checkPluginType(std::string_view type);

// The id that plug-ins get for `container`: itself where CNI's rule for container ids allows it, otherwise "x-" and an
// escaped form that no other container gets.
std::string cniContainerId(std::string_view container);

// Either form. InvalidArgument names the member and the reason.
Result<NetworkConfig> parseNetwork(std::string_view text);
// As a *.conflist; parseNetwork reads it back.
std::string formatNetwork(const NetworkConfig& network);

// A directory's networks by name.
struct Catalogue {
  std::map<std::string, NetworkConfig> networks;
  // What cannot be used, by file name, and of two files with the same network both; the sentences say why.
  std::map<std::string, std::string> broken;

  // The network, or an error that says what is there instead. NotFound.
  Result<NetworkConfig> find(const std::string& name) const;
};
// Reads *.conf, *.conflist and *.json in the order of their names. A missing directory has no networks.
Result<Catalogue> loadNetworks(const std::string& directory);

}  // namespace gantry::network
