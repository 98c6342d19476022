// The agent's configuration: one struct, filled from flags, environment and files by load.hpp. Components receive the
// few values they need, never the whole of it. What each field means, and its name in every source, is in options.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/config/values.hpp"
#include "base/bytes.hpp"
#include "base/log.hpp"

namespace gantry::agent {

struct Config {
  Path config{"/etc/gantry/agent.toml"};
  Path configDir{"/etc/gantry/conf.d"};
  log::Level loggingLevel = log::Level::Info;

  Path workDir{"/var/lib/gantry"};
  Path runtimeDir{"/run/gantry"};

  IpAddress ip{"127.0.0.1"};
  Port port{5051};
  std::string hostname;
  std::string master;
  Bytes httpBodyLimit = Bytes::mebi(8);

  std::optional<Path> runtime;
  std::optional<Path> monitor;
  std::optional<Path> fetcher;

  std::string cgroupsRoot = "gantry";
  Path sandboxDirectory{"/mnt/mesos/sandbox"};
  Count defaultPidsLimit{4096};
  Bytes containerLogSize = Bytes::mebi(10);
  Count containerLogFiles{5};

  std::string dockerRegistry = "https://registry-1.docker.io";
  std::vector<std::string> insecureRegistries;

  std::string networkCniPluginsDir = "/usr/lib/cni";
  std::optional<Path> networkCniConfigDir;
  Subnet bridgeSubnet{"10.213.0.0/20"};
  std::string bridgeName = "gantry0";
};

}  // namespace gantry::agent
