#include <agent/wire/mesos_v1.pb.h>
#include <strings.h>

#include <algorithm>

#include "agent/wire/container_info.hpp"
#include "agent/wire/messages.hpp"

namespace gantry::agent::wire {
namespace {

using isolators::NetworkAttachment;
using isolators::PortMapping;

Result<PortMapping> portMappingFrom(const mesos::v1::NetworkInfo::PortMapping& message, const std::string& field) {
  if (message.host_port() > 65535) return Error::invalid(field + ".host_port", "must not exceed 65535");
  if (message.container_port() == 0 || message.container_port() > 65535) {
    return Error::invalid(field + ".container_port", "must be from 1 to 65535");
  }
  PortMapping mapping;
  mapping.hostPort = static_cast<std::uint16_t>(message.host_port());
  mapping.containerPort = static_cast<std::uint16_t>(message.container_port());
  const std::string& protocol = message.protocol();
  if (strcasecmp(protocol.c_str(), "udp") == 0) {
    mapping.protocol = PortMapping::Protocol::Udp;
  } else if (message.has_protocol() && strcasecmp(protocol.c_str(), "tcp") != 0) {
    return Error::invalid(field + ".protocol", "must be 'tcp' or 'udp'");
  }
  return mapping;
}

// Groups are left alone: none of mesos-agent's own isolators uses them either (reference: master-agent, 5.7).
Result<NetworkAttachment> networkFrom(const mesos::v1::NetworkInfo& message, const std::string& field) {
  // An entry without an address asks for any address, which is what a network gives (Marathon writes such).
  for (const auto& address : message.ip_addresses()) {
    if (!address.has_ip_address() && address.protocol() == mesos::v1::NetworkInfo::IPv4) continue;
    return Error(Code::Unsupported, field + ".ip_addresses: an address cannot be asked for");
  }
  NetworkAttachment network;
  // An entry without a name means the host's network (reference: containerizer, section 8).
  network.name = message.has_name() ? message.name() : "host";
  if (network.name.empty()) return Error::invalid(field + ".name", "must not be empty");
  TRY_VOID(checkText(network.name, field + ".name"));
  for (int i = 0; i < message.port_mappings_size(); ++i) {
    TRY(const PortMapping mapping,
        portMappingFrom(message.port_mappings(i), field + ".port_mappings[" + std::to_string(i) + "]"));
    network.portMappings.push_back(mapping);
  }
  if (!network.portMappings.empty() && (network.name == "host" || network.name == "none")) {
    return Error::invalid(field + ".port_mappings", "the network '" + network.name + "' has no ports to map");
  }
  for (const auto& label : message.labels().labels()) network.labels[label.key()] = label.value();
  return network;
}

}  // namespace

Result<std::vector<NetworkAttachment>> networksFrom(const mesos::v1::ContainerInfo& container,
                                                    const std::string& field) {
  std::vector<NetworkAttachment> networks;
  for (int i = 0; i < container.network_infos_size(); ++i) {
    const std::string entry = field + ".network_infos[" + std::to_string(i) + "]";
    TRY(auto network, networkFrom(container.network_infos(i), entry));
    const auto same = [&network](const NetworkAttachment& other) { return other.name == network.name; };
    if (std::any_of(networks.begin(), networks.end(), same)) {
      return Error::invalid(entry + ".name", "the network '" + network.name + "' is joined already");
    }
    networks.push_back(std::move(network));
  }
  if (networks.size() > 1) {
    for (std::size_t i = 0; i < networks.size(); ++i) {
      if (networks[i].name != "host" && networks[i].name != "none") continue;
      return Error::invalid(field + ".network_infos[" + std::to_string(i) + "].name",
                            "'" + networks[i].name + "' must be the only network");
    }
  }
  return networks;
}

void writeNetwork(const isolators::NetworkStatus& network, mesos::v1::NetworkInfo& message) {
  if (!network.network.empty()) message.set_name(network.network);
  for (const std::string& address : network.addresses) {
    auto& entry = *message.add_ip_addresses();
    entry.set_protocol(address.find(':') == std::string::npos ? mesos::v1::NetworkInfo::IPv4
                                                              : mesos::v1::NetworkInfo::IPv6);
    entry.set_ip_address(address);
  }
  for (const auto& mapping : network.portMappings) {
    auto& entry = *message.add_port_mappings();
    entry.set_host_port(mapping.hostPort);
    entry.set_container_port(mapping.containerPort);
    entry.set_protocol(mapping.protocol == isolators::PortMapping::Protocol::Tcp ? "tcp" : "udp");
  }
}

}  // namespace gantry::agent::wire
