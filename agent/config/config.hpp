// The agent's configuration: one struct, filled from flags, environment and files by load.hpp. Components receive the
// few values they need, never the whole of it. What each field means, and its name in every source, is in the tables
// options_*.cpp. Mesos' flags that have no field here are in mesos_flags.hpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/config/json_values.hpp"
#include "agent/config/values.hpp"
#include "base/bytes.hpp"
#include "base/log.hpp"

namespace gantry::agent {

struct Config {
  // options_agent.cpp: the agent itself.
  Path config{"/etc/gantry/agent.toml"};
  Path configDir{"/etc/gantry/conf.d"};
  log::Level loggingLevel = log::Level::Info;
  std::optional<Path> externalLogFile;

  Path workDir{"/var/lib/gantry"};
  Path runtimeDir{"/run/gantry"};

  std::optional<IpAddress> ip;
  std::string ipDiscoveryCommand;
  Port port{5051};
  Bytes httpBodyLimit = Bytes::mebi(8);
  async::Duration httpHeartbeatInterval = std::chrono::seconds(30);
  FirewallRules firewallRules;

  std::optional<Path> runtime;
  std::optional<Path> monitor;
  std::optional<Path> fetcher;

  // options_master.cpp: the link to a Mesos master, and what it is told of this host.
  std::string master;
  async::Duration zkSessionTimeout = std::chrono::seconds(10);
  std::optional<Path> credential;
  async::Duration authenticationBackoffFactor = std::chrono::seconds(1);
  async::Duration authenticationTimeoutMin = std::chrono::seconds(5);
  async::Duration authenticationTimeoutMax = std::chrono::minutes(1);
  async::Duration registrationBackoffFactor = std::chrono::seconds(1);

  std::string hostname;
  bool hostnameLookup = true;
  std::optional<IpAddress> advertiseIp;
  Port advertisePort{0};
  std::string resources;
  std::string attributes;
  std::string defaultRole = "*";
  JsonObject domain;

  Recover recover = Recover::Reconnect;
  bool strict = true;
  async::Duration recoveryTimeout = std::chrono::minutes(15);
  ReconfigurationPolicy reconfigurationPolicy = ReconfigurationPolicy::Equal;

  // options_tasks.cpp: the tasks of a master's frameworks.
  bool switchUser = true;
  Variables executorEnvironmentVariables;
  async::Duration executorShutdownGracePeriod = std::chrono::seconds(5);
  Count maxCompletedExecutorsPerFramework{150};
  std::string dockerBridgeNetwork = "bridge";
  std::string frameworksHome;
  std::optional<Path> fetcherCacheDir;
  Bytes fetcherCacheSize = Bytes::gibi(2);
  async::Duration fetcherStallTimeout = std::chrono::minutes(1);

  // options_containers.cpp: every container.
  std::string cgroupsRoot = "gantry";
  bool cgroupsEnableCfs = false;
  Count defaultPidsLimit{4096};
  Bytes defaultContainerShmSize = Bytes::mebi(64);
  bool disallowSharingAgentPidNamespace = false;
  bool disallowSharingAgentIpcNamespace = false;
  std::optional<Capabilities> effectiveCapabilities;
  std::optional<Capabilities> boundingCapabilities;
  std::vector<Path> hostPathVolumeForceCreation;

  Path sandboxDirectory{"/mnt/mesos/sandbox"};
  Bytes containerLogSize = Bytes::mebi(10);
  Count containerLogFiles{5};

  std::string dockerRegistry = "https://registry-1.docker.io";
  std::vector<std::string> insecureRegistries;
  std::optional<Path> fetcherCaFile;

  std::string networkCniPluginsDir = "/usr/lib/cni";
  std::optional<Path> networkCniConfigDir;
  Subnet bridgeSubnet{"10.213.0.0/20"};
  std::string bridgeName = "gantry0";
};

// The address to listen on: --ip, else every address when there is a master to be reached by, else loopback.
IpAddress listenAddress(const Config& config);

}  // namespace gantry::agent
