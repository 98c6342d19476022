#include "agent/config/options.hpp"

#include <algorithm>
#include <cctype>
#include <type_traits>

#include <fmt/format.h>

namespace gantry::agent {
namespace {

template <typename T>
Option option(std::string name, std::string placeholder, T Config::* field, std::string description) {
  Option made;
  made.name = std::move(name);
  made.placeholder = std::move(placeholder);
  made.description = std::move(description);
  made.kind = kindOf(T());
  made.isPath = std::is_same_v<T, Path> || std::is_same_v<T, std::optional<Path>>;
  made.set = [field](Config& config, std::string_view text) { return parseValue(text, config.*field); };
  made.get = [field](const Config& config) { return formatValue(config.*field); };
  return made;
}

Option notInFiles(Option made) {
  made.inFiles = false;
  return made;
}

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

std::function<Result<void>(std::string_view)> atMost(std::uint64_t most) {
  return [most](std::string_view text) -> Result<void> {
    Count count;
    TRY_VOID(parseValue(text, count));
    if (count.number <= most) return {};
    return Error(Code::InvalidArgument, fmt::format("must be at most {}, not '{}'", most, text));
  };
}

Option checked(Option made, std::function<Result<void>(std::string_view)> check) {
  made.set = [set = std::move(made.set), check = std::move(check)](Config& config,
                                                                   std::string_view text) -> Result<void> {
    TRY_VOID(check(text));
    return set(config, text);
  };
  return made;
}

std::vector<Option> makeOptions() {
  return {
      notInFiles(
          option("config", "FILE", &Config::config, "The configuration file. One that is named here must exist.")),
      notInFiles(option("config_dir", "DIR", &Config::configDir,
                        "Its *.toml files are read after the configuration file, in the order of their names.")),
      option("logging_level", "LEVEL", &Config::loggingLevel,
             "Log lines below this level are dropped: DEBUG, INFO, WARNING or ERROR."),

      option("work_dir", "DIR", &Config::workDir,
             "What outlives a reboot: the database, images, and the containers' writable layers and sandboxes."),
      option(
          "runtime_dir", "DIR", &Config::runtimeDir,
          "What dies with the boot: sockets, bundles, network namespaces. The agent's own socket is agent.sock in it."),

      option("ip", "ADDRESS", &Config::ip,
             "The address to serve HTTP on. Whoever reaches it can run containers as root: leave it on loopback unless "
             "the network is trusted."),
      option("port", "PORT", &Config::port, "The port to serve HTTP on; 0 takes a free one."),
      option("hostname", "NAME", &Config::hostname, "The name this host is known by; empty: what the kernel says."),
      option("master", "ADDRESS", &Config::master,
             "The Mesos master to register with. Must be empty: this version runs standalone."),
      option("http_body_limit", "BYTES", &Config::httpBodyLimit,
             "A request with a larger body is answered with 413. Streams are not limited."),

      option(
          "runtime", "PROGRAM", &Config::runtime,
          "The OCI runtime: gantry-runtime, or any other one with its command line. Empty: the one beside the agent."),
      option("monitor", "PROGRAM", &Config::monitor, "gantry-monitor. Empty: the one beside the agent."),
      option("fetcher", "PROGRAM", &Config::fetcher, "gantry-fetcher. Empty: the one beside the agent."),

      checked(option("cgroups_root", "NAME", &Config::cgroupsRoot,
                     "Containers' cgroups are made below this one, in every hierarchy."),
              checkCgroupsRoot),
      option("sandbox_directory", "DIR", &Config::sandboxDirectory,
             "Where a container with an image sees its sandbox."),
      // The kernel counts no further than its own limit on process ids.
      checked(option("default_pids_limit", "COUNT", &Config::defaultPidsLimit,
                     "Processes and threads a container may have when its request does not say."),
              atMost(4194304)),
      option("container_log_size", "BYTES", &Config::containerLogSize,
             "A container's stdout or stderr file is rotated when it is this large."),
      checked(option("container_log_files", "COUNT", &Config::containerLogFiles,
                     "Files kept of each stream, the current one included; at most 1000."),
              atMost(1000)),

      option("docker_registry", "URL", &Config::dockerRegistry, "The registry of image references that name none."),
      option("insecure_registries", "HOSTS", &Config::insecureRegistries,
             "Registries, as host or host:port, spoken to over plain http. Those on loopback always may be."),

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

std::size_t editDistance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> row(right.size() + 1);
  for (std::size_t j = 0; j <= right.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= left.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= right.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (left[i - 1] == right[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[right.size()];
}

}  // namespace

const std::vector<Option>& options() {
  static const std::vector<Option> table = makeOptions();
  return table;
}

const Option* findOption(std::string_view name) {
  const auto found = std::ranges::find(options(), name, &Option::name);
  return found == options().end() ? nullptr : &*found;
}

std::string_view nearestOption(std::string_view name) {
  std::string_view best;
  std::size_t fewest = (name.size() + 1) / 2;
  for (const Option& candidate : options()) {
    const std::size_t distance = editDistance(name, candidate.name);
    if (distance >= fewest) continue;
    fewest = distance;
    best = candidate.name;
  }
  return best;
}

std::string variableName(std::string_view prefix, std::string_view option) {
  std::string name(prefix);
  for (const char letter : option) name.push_back(static_cast<char>(std::toupper(static_cast<unsigned char>(letter))));
  return name;
}

}  // namespace gantry::agent
