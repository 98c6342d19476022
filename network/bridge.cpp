#include "network/bridge.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <sstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace gantry::network {
namespace {

constexpr int kShortestPrefix = 8;
constexpr int kLongestPrefix = 29;

std::uint32_t maskOf(int prefix) {
  return prefix == 0 ? 0 : ~std::uint32_t{0} << (32 - prefix);
}

PluginConfig plugin(const nlohmann::json& object, std::set<std::string> capabilities = {}) {
  return {object["type"], object.dump(), std::move(capabilities)};
}

}  // namespace

bool Subnet::overlaps(const Subnet& other) const {
  const std::uint32_t mask = maskOf(std::min(prefix, other.prefix));
  return (address & mask) == (other.address & mask);
}

Result<Subnet> parseSubnet(std::string_view text) {
  const std::size_t slash = text.find('/');
  Subnet subnet;
  in_addr parsed{};
  const std::string address(text.substr(0, slash));
  if (slash == std::string_view::npos || ::inet_pton(AF_INET, address.c_str(), &parsed) != 1) {
    return Error(Code::InvalidArgument, fmt::format("'{}' is no IPv4 subnet such as 10.213.0.0/20", text));
  }
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data() + slash + 1, end, subnet.prefix);
  if (read.ec != std::errc() || read.ptr != end || subnet.prefix < kShortestPrefix || subnet.prefix > kLongestPrefix) {
    return Error(Code::InvalidArgument,
                 fmt::format("'{}': the prefix length must be {} to {}", text, kShortestPrefix, kLongestPrefix));
  }
  subnet.address = ntohl(parsed.s_addr);
  if ((subnet.address & ~maskOf(subnet.prefix)) != 0) {
    return Error(Code::InvalidArgument, fmt::format("'{}' is an address in a subnet, not a subnet", text));
  }
  return subnet;
}

std::string toString(const Subnet& subnet) {
  const std::uint32_t address = subnet.address;
  return fmt::format("{}.{}.{}.{}/{}", address >> 24U, address >> 16U & 255U, address >> 8U & 255U, address & 255U,
                     subnet.prefix);
}

Result<void> checkClash(const Subnet& subnet, std::string_view routes, std::string_view own) {
  std::istringstream lines{std::string(routes)};
  std::string line;
  std::getline(lines, line);  // the headings
  while (std::getline(lines, line)) {
    // Iface Destination Gateway Flags RefCnt Use Metric Mask …; addresses as the kernel has them in memory.
    std::istringstream words(line);
    std::string interface;
    std::string skipped;
    std::uint32_t destination = 0;
    std::uint32_t mask = 0;
    words >> interface >> std::hex >> destination >> skipped >> skipped >> skipped >> skipped >> skipped >> mask;
    if (!words || mask == 0 || interface == own) continue;
    const Subnet route{ntohl(destination), __builtin_popcount(mask)};
    if (!subnet.overlaps(route)) continue;
    return Error(
        Code::Busy,
        fmt::format("the default network's subnet {} overlaps the host's route to {} on '{}'; choose another one "
                    "with --bridge_subnet",
                    toString(subnet), toString(route), interface));
  }
  return {};
}

NetworkConfig defaultBridge(const BridgeOptions& options) {
  NetworkConfig network;
  network.name = options.interface;
  network.version = "1.0.0";
  network.plugins.push_back(plugin({{"type", "bridge"},
                                    {"bridge", options.interface},
                                    {"isGateway", true},
                                    {"hairpinMode", true},
                                    {"ipam",
                                     {{"type", "host-local"},
                                      {"dataDir", options.addressDirectory},
                                      {"ranges", {{{{"subnet", toString(options.subnet)}}}}},
                                      {"routes", {{{"dst", "0.0.0.0/0"}}}}}}}));
  network.plugins.push_back(
      plugin({{"type", "portmap"}, {"capabilities", {{"portMappings", true}}}}, {"portMappings"}));
  return network;
}

}  // namespace gantry::network
