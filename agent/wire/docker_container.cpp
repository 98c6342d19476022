#include "agent/wire/docker_container.hpp"

#include <agent/wire/mesos_v1_tasks.pb.h>
#include <strings.h>

#include <algorithm>

#include "agent/wire/container_info.hpp"
#include "agent/wire/docker_parameters.hpp"
#include "agent/wire/messages.hpp"
#include "isolators/security/security.hpp"

namespace gantry::agent::wire {
namespace {

using isolators::ContainerRequest;
using isolators::NetworkAttachment;
using isolators::PortMapping;
using mesos::v1::CapabilityInfo;
using mesos::v1::ContainerInfo;
using mesos::v1::TaskInfo;
using DockerInfo = ContainerInfo::DockerInfo;

const std::string kContainer = "task.container";
const std::string kDocker = kContainer + ".docker";

Result<void> checkDocker(const ContainerInfo& container) {
  if (!container.has_docker()) return Error::invalid(kDocker, "is required");
  if (container.has_mesos()) return Error::invalid(kContainer + ".mesos", "does not fit the type DOCKER");
  if (container.docker().image().empty()) return Error::invalid(kDocker + ".image", "must not be empty");
  TRY_VOID(checkText(container.docker().image(), kDocker + ".image"));
  if (!container.docker().volume_driver().empty()) {
    return Error(Code::Unsupported, kDocker + ".volume_driver: volume drivers are not supported by this agent");
  }
  return {};
}

// --- network

Result<PortMapping> mappingFrom(const DockerInfo::PortMapping& message, const std::string& field) {
  if (message.host_port() > 65535) return Error::invalid(field + ".host_port", "must not exceed 65535");
  if (message.container_port() == 0 || message.container_port() > 65535) {
    return Error::invalid(field + ".container_port", "must be from 1 to 65535");
  }
  PortMapping mapping;
  mapping.hostPort = static_cast<std::uint16_t>(message.host_port());
  mapping.containerPort = static_cast<std::uint16_t>(message.container_port());
  if (strcasecmp(message.protocol().c_str(), "udp") == 0) {
    mapping.protocol = PortMapping::Protocol::Udp;
  } else if (message.has_protocol() && strcasecmp(message.protocol().c_str(), "tcp") != 0) {
    return Error::invalid(field + ".protocol", "must be 'tcp' or 'udp'");
  }
  return mapping;
}

bool hasPort(const TaskInfo& task, std::uint16_t port) {
  for (const auto& resource : task.resources()) {
    if (resource.name() != "ports") continue;
    for (const auto& range : resource.ranges().range()) {
      if (range.begin() <= port && port <= range.end()) return true;
    }
  }
  return false;
}

// The network of the type, before the option --net.
Result<NetworkAttachment> networkOfType(const ContainerInfo& container, const TaskDefaults& defaults) {
  NetworkAttachment network;
  if (container.docker().network() == DockerInfo::USER) {
    if (container.network_infos_size() != 1) {
      return Error::invalid(kContainer + ".network_infos", "must have one entry for the network USER");
    }
    if (!container.network_infos(0).has_name()) {
      return Error::invalid(kContainer + ".network_infos[0].name", "is required for the network USER");
    }
    TRY(auto networks, networksFrom(container, kContainer));
    network = std::move(networks.front());
    // Docker knows of the ports of a DockerInfo only.
    network.portMappings.clear();
    return network;
  }
  for (int i = 0; i < container.network_infos_size(); ++i) {
    if (!container.network_infos(i).has_name()) continue;
    return Error::invalid(kContainer + ".network_infos[" + std::to_string(i) + "].name", "needs the network USER");
  }
  switch (container.docker().network()) {
    case DockerInfo::BRIDGE:
      network.name = defaults.bridgeNetwork;
      break;
    case DockerInfo::NONE:
      network.name = "none";
      break;
    case DockerInfo::HOST:
    case DockerInfo::USER:
      network.name = "host";
      break;
  }
  return network;
}

Result<void> readNetwork(const TaskInfo& task, const DockerOptions& options, const TaskDefaults& defaults,
                         ContainerRequest& into) {
  const DockerInfo& docker = task.container().docker();
  TRY(NetworkAttachment network, networkOfType(task.container(), defaults));
  if (options.network) network.name = *options.network == "bridge" ? defaults.bridgeNetwork : *options.network;
  network.portMappings = options.published;
  for (int i = 0; i < docker.port_mappings_size(); ++i) {
    TRY(const PortMapping mapping,
        mappingFrom(docker.port_mappings(i), kDocker + ".port_mappings[" + std::to_string(i) + "]"));
    network.portMappings.push_back(mapping);
  }
  if (!network.portMappings.empty() && (network.name == "host" || network.name == "none")) {
    return Error::invalid(kDocker + ".port_mappings", "the network '" + network.name + "' has no ports to map");
  }
  for (const PortMapping& mapping : network.portMappings) {
    if (mapping.hostPort == 0 || hasPort(task, mapping.hostPort)) continue;
    return Error::invalid(kDocker + ".port_mappings", "the host port " + std::to_string(mapping.hostPort) +
                                                          " is not among the task's 'ports' resources");
  }
  into.networks = {std::move(network)};
  return {};
}

// --- security

std::vector<std::string> allCapabilities() {
  std::vector<std::string> names;
  for (int number = CapabilityInfo::CHOWN; number <= CapabilityInfo::Capability_MAX; ++number) {
    if (!CapabilityInfo::Capability_IsValid(number)) continue;
    names.push_back("CAP_" + CapabilityInfo::Capability_Name(static_cast<CapabilityInfo::Capability>(number)));
  }
  return names;
}

// One that is named wins over ALL on the other side, as in Docker.
void setCapabilities(const DockerOptions& options, ContainerRequest& into) {
  const auto& added = options.addedCapabilities;
  const auto& dropped = options.droppedCapabilities;
  if (added.empty() && dropped.empty()) return;
  const auto has = [](const std::vector<std::string>& names, const std::string& name) {
    return std::ranges::find(names, name) != names.end();
  };
  std::vector<std::string> left;
  for (const std::string& name : allCapabilities()) {
    const bool isAdded = has(added, name) || (has(added, "ALL") && !has(dropped, "ALL"));
    const bool isDefault = has(isolators::dockerCapabilities(), name) && !has(dropped, "ALL");
    if (has(added, name) || ((isAdded || isDefault) && !has(dropped, name))) left.push_back(name);
  }
  into.security.effectiveCapabilities = left;
  into.security.boundingCapabilities = std::move(left);
}

// --- command

// What follows the entrypoint.
std::vector<std::string> wordsOf(const mesos::v1::CommandInfo& command) {
  std::vector<std::string> words;
  if (command.has_value()) words.push_back(command.value());
  words.insert(words.end(), command.arguments().begin(), command.arguments().end());
  return words;
}

Result<void> readCommand(const mesos::v1::CommandInfo& message, ContainerRequest& into) {
  mesos::v1::CommandInfo command = message;
  if (command.shell()) command.clear_arguments();
  TRY(into.command, commandFrom(command, "task.command"));
  // The program's user is the image's.
  into.command.user.reset();
  if (into.command.shell) return {};
  into.command.arguments = wordsOf(command);
  into.command.value.reset();
  into.command.argumentsReplaceCommand = true;
  return {};
}

Result<void> replaceEntrypoint(const std::string& entrypoint, isolators::Command& command) {
  if (command.shell) {
    return Error::invalid(kDocker + ".parameters", "'--entrypoint' excludes a command for the shell");
  }
  std::vector<std::string>& words = command.arguments;
  if (!entrypoint.empty()) words.insert(words.begin(), entrypoint);
  if (words.empty()) return Error::invalid("task.command", "names no program, and the image's entrypoint is dropped");
  command.value = words.front();
  command.argumentsReplaceCommand = false;
  return {};
}

}  // namespace

Result<void> readDockerTask(const TaskInfo& task, const TaskDefaults& defaults, ContainerRequest& into) {
  const ContainerInfo& container = task.container();
  TRY_VOID(checkDocker(container));
  into.image = container.docker().image();
  into.useCachedImage = !container.docker().force_pull_image();
  into.security.privileged = container.docker().privileged();
  into.security.onlyRootHasCapabilities = true;
  TRY_VOID(readCommand(task.command(), into));
  TRY_VOID(readCommonContainer(container, kContainer, into));
  TRY(const DockerOptions options, readDockerParameters(container.docker().parameters(), kDocker, into));
  if (options.entrypoint) TRY_VOID(replaceEntrypoint(*options.entrypoint, into.command));
  setCapabilities(options, into);
  return readNetwork(task, options, defaults, into);
}

}  // namespace gantry::agent::wire
