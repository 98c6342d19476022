// The settings of the agent itself: where things are, what it logs, where it listens.
#include "agent/config/option_kit.hpp"

namespace gantry::agent {
namespace {

Option notInFiles(Option made) {
  made.inFiles = false;
  return made;
}

}  // namespace

std::vector<Option> agentOptions() {
  return {
      notInFiles(
          option("config", "FILE", &Config::config, "The configuration file. One that is named here must exist.")),
      notInFiles(option("config_dir", "DIR", &Config::configDir,
                        "Its *.toml files are read after the configuration file, in the order of their names.")),
      option("logging_level", "LEVEL", &Config::loggingLevel,
             "Log lines below this level are dropped: DEBUG, INFO, WARNING or ERROR."),
      option("external_log_file", "FILE", &Config::externalLogFile,
             "Where whoever started the agent keeps its log, for the web UI to show as /slave/log."),

      option("work_dir", "DIR", &Config::workDir,
             "What outlives a reboot: the database, images, and the containers' writable layers and sandboxes."),
      option(
          "runtime_dir", "DIR", &Config::runtimeDir,
          "What dies with the boot: sockets, bundles, network namespaces. The agent's own socket is agent.sock in it."),

      option("ip", "ADDRESS", &Config::ip,
             "The address to serve HTTP on. Whoever reaches it can run containers as root: leave it on loopback unless "
             "the network is trusted. Empty: 127.0.0.1, and every address when there is a master."),
      option("ip_discovery_command", "COMMAND", &Config::ipDiscoveryCommand,
             "A shell command that prints the address to serve HTTP on; instead of --ip."),
      option("port", "PORT", &Config::port, "The port to serve HTTP on; 0 takes a free one."),
      option("http_body_limit", "BYTES", &Config::httpBodyLimit,
             "A request with a larger body is answered with 413. Streams are not limited."),
      option("http_heartbeat_interval", "DURATION", &Config::httpHeartbeatInterval,
             "Between two heartbeats of an attached stream, which keep idle connections open."),
      option("firewall_rules", "JSON", &Config::firewallRules,
             "Paths that are answered with 403: {\"disabled_endpoints\": {\"paths\": [\"/files/browse\"]}}."),

      option(
          "runtime", "PROGRAM", &Config::runtime,
          "The OCI runtime: gantry-runtime, or any other one with its command line. Empty: the one beside the agent."),
      option("monitor", "PROGRAM", &Config::monitor, "gantry-monitor. Empty: the one beside the agent."),
      option("fetcher", "PROGRAM", &Config::fetcher, "gantry-fetcher. Empty: the one beside the agent."),
  };
}

}  // namespace gantry::agent
