// The settings of every container: cgroups, capabilities, logs, images, networks.
#include <fmt/format.h>

#include "agent/config/option_kit.hpp"

namespace gantry::agent {
namespace {

// A cgroup path without a slash at either end, and without "." or "..".
Result<void> checkCgroupsRoot(std::string_view text) {
  const bool climbs = text == "." || text == ".." || text.find("./") != std::string_view::npos || text.ends_with("/..");
  if (text.empty() || text.starts_with('/') || text.ends_with('/') || climbs) {
    return Error(Code::InvalidArgument, fmt::format("must be a relative path as 'gantry', not '{}'", text));
  }
  return {};
}

// What the kernel takes as an interface's name (dev_valid_name).
Result<void> checkInterfaceName(std::string_view text) {
  const bool fits = !text.empty() && text.size() <= 15 && text != "." && text != "..";
  if (!fits || text.find_first_of("/: \t\n\v\f\r") != std::string_view::npos) {
    return Error(Code::InvalidArgument,
                 fmt::format("must be an interface's name of 1 to 15 characters without '/', ':' and white space, not "
                             "'{}'",
                             text));
  }
  return {};
}

}  // namespace

std::vector<Option> containerOptions() {
  return {
      checked(option("cgroups_root", "NAME", &Config::cgroupsRoot,
                     "Containers' cgroups are made below this one, in every hierarchy."),
              checkCgroupsRoot),
      option("cgroups_enable_cfs", "", &Config::cgroupsEnableCfs,
             "Whether a container without a cpus limit is held to the cpus it asks for, even on an idle host."),
      // The kernel counts no further than its own limit on process ids.
      checked(option("default_pids_limit", "COUNT", &Config::defaultPidsLimit,
                     "Processes and threads a container may have when its request does not say."),
              atMost(4194304)),
      option("default_container_shm_size", "BYTES", &Config::defaultContainerShmSize,
             "The size of /dev/shm of a container that does not say."),
      option("disallow_sharing_agent_pid_namespace", "", &Config::disallowSharingAgentPidNamespace,
             "Whether containers that ask for the host's pid namespace are refused."),
      option("disallow_sharing_agent_ipc_namespace", "", &Config::disallowSharingAgentIpcNamespace,
             "Whether containers that ask for the host's ipc namespace are refused."),
      option("effective_capabilities", "JSON", &Config::effectiveCapabilities,
             "The capabilities of a container that does not say: {\"capabilities\": [\"NET_RAW\"]}. Empty: Docker's."),
      option("bounding_capabilities", "JSON", &Config::boundingCapabilities,
             "The capabilities that no container goes beyond. Empty: those the agent has."),
      option("host_path_volume_force_creation", "DIRS", &Config::hostPathVolumeForceCreation,
             "Directories, separated by colons, below which a volume's host path is made when it is missing."),

      option("sandbox_directory", "DIR", &Config::sandboxDirectory,
             "Where a container with an image sees its sandbox."),
      option("container_log_size", "BYTES", &Config::containerLogSize,
             "A container's stdout or stderr file is rotated when it is this large."),
      checked(option("container_log_files", "COUNT", &Config::containerLogFiles,
                     "Files kept of each stream, the current one included; at most 1000."),
              atMost(1000)),

      option("docker_registry", "URL", &Config::dockerRegistry, "The registry of image references that name none."),
      option("insecure_registries", "HOSTS", &Config::insecureRegistries,
             "Registries, as host or host:port, spoken to over plain http. Those on loopback always may be."),
      option(
          "fetcher_ca_file", "FILE", &Config::fetcherCaFile,
          "PEM certificates that registries and the servers of tasks' URIs may show beside those the system trusts."),

      option("network_cni_plugins_dir", "PATH", &Config::networkCniPluginsDir,
             "Directories with CNI plugins, separated by colons."),
      option("network_cni_config_dir", "DIR", &Config::networkCniConfigDir,
             "CNI network configurations. Empty, or without one named 'bridge': a default bridge network is offered."),
      option("bridge_subnet", "SUBNET", &Config::bridgeSubnet, "The IPv4 network of the default bridge."),
      checked(
          option("bridge_name", "NAME", &Config::bridgeName, "The default bridge's interface; at most 15 characters."),
          checkInterfaceName),
  };
}

}  // namespace gantry::agent
