#include "agent/wire/docker_parameters.hpp"

#include <agent/wire/mesos_v1.pb.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "agent/wire/messages.hpp"

namespace gantry::agent::wire {
namespace {

using isolators::ContainerRequest;
using isolators::PortMapping;
using isolators::Volume;

struct Target {
  ContainerRequest& request;
  DockerOptions& options;
};

// Sets what the option means; the error is the reason alone.
using Apply = Result<void> (*)(const std::string& value, Target into);

Error bad(std::string reason) {
  return {Code::InvalidArgument, std::move(reason)};
}

Error notHere(std::string reason) {
  return {Code::Unsupported, std::move(reason)};
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (true) {
    const auto end = text.find(separator, begin);
    parts.push_back(text.substr(begin, end - begin));
    if (end == std::string::npos) return parts;
    begin = end + 1;
  }
}

template <typename Number>
Result<Number> numberFrom(const std::string& text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return bad("is no number in range");
  return number;
}

Result<bool> flagFrom(const std::string& text) {
  if (text.empty() || text == "true" || text == "1") return true;
  if (text == "false" || text == "0") return false;
  return bad("must be 'true' or 'false'");
}

Result<std::string> filled(const std::string& text) {
  if (text.empty()) return bad("must not be empty");
  return text;
}

Result<void> setEnvironment(const std::string& value, Target into) {
  const auto equals = value.find('=');
  if (equals == 0 || value.empty()) return bad("has no name");
  if (equals == std::string::npos) return notHere("takes a variable from the Docker daemon, of which there is none");
  into.request.command.environment[value.substr(0, equals)] = value.substr(equals + 1);
  return {};
}

Result<void> setLabel(const std::string& value, Target into) {
  const auto equals = value.find('=');
  if (equals == 0 || value.empty()) return bad("has no name");
  into.request.labels[value.substr(0, equals)] = equals == std::string::npos ? "" : value.substr(equals + 1);
  return {};
}

Result<void> setVolumeOption(const std::string& option, Volume& volume) {
  // Labels of SELinux and hints for other systems than Linux: nothing to do on a host of ours.
  constexpr std::array kWithoutMeaning{"z", "Z", "cached", "delegated", "consistent", "nocopy"};
  if (option == "ro") {
    volume.readOnly = true;
  } else if (option == "rw") {
    volume.readOnly = false;
  } else if (option == "private" || option == "rprivate") {
    volume.propagation = Volume::Propagation::Private;
  } else if (option == "slave" || option == "rslave") {
    volume.propagation = Volume::Propagation::HostToContainer;
  } else if (option == "shared" || option == "rshared") {
    volume.propagation = Volume::Propagation::Bidirectional;
  } else if (std::ranges::find(kWithoutMeaning, option) == kWithoutMeaning.end()) {
    return bad("has the unknown option '" + option + "'");
  }
  return {};
}

Result<void> addVolume(const std::string& value, Target into) {
  const auto parts = split(value, ':');
  if (parts.size() == 1) return notHere("asks for an anonymous volume; name a directory of the host");
  if (parts.size() > 3) return bad("must be SOURCE:TARGET[:OPTIONS]");
  Volume volume;
  volume.path = parts[0];
  volume.containerPath = parts[1];
  volume.propagation = Volume::Propagation::Private;
  if (!volume.path.starts_with('/')) return notHere("names a volume; only directories of the host are known here");
  if (!volume.containerPath.starts_with('/')) return bad("the path in the container must be absolute");
  if (parts.size() == 3) {
    for (const std::string& option : split(parts[2], ',')) TRY_VOID(setVolumeOption(option, volume));
  }
  into.request.volumes.push_back(std::move(volume));
  return {};
}

Result<void> setUser(const std::string& value, Target into) {
  TRY(into.request.command.user, filled(value));
  return {};
}

Result<void> setHostname(const std::string& value, Target into) {
  TRY(into.request.hostname, filled(value));
  return {};
}

Result<void> setWorkdir(const std::string& value, Target into) {
  if (!value.starts_with('/')) return bad("must be absolute");
  into.request.command.workingDirectory = value;
  return {};
}

Result<void> setEntrypoint(const std::string& value, Target into) {
  into.options.entrypoint = value;
  return {};
}

Result<std::string> capabilityFrom(const std::string& value) {
  std::string name = value;
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  if (name.starts_with("CAP_")) name.erase(0, 4);
  mesos::v1::CapabilityInfo::Capability number{};
  const bool known = name == "ALL" || (mesos::v1::CapabilityInfo::Capability_Parse(name, &number) &&
                                       number != mesos::v1::CapabilityInfo::UNKNOWN);
  if (!known) return bad("is no capability");
  return name == "ALL" ? name : "CAP_" + name;
}

Result<void> addCapability(const std::string& value, Target into) {
  TRY(std::string name, capabilityFrom(value));
  into.options.addedCapabilities.push_back(std::move(name));
  return {};
}

Result<void> dropCapability(const std::string& value, Target into) {
  TRY(std::string name, capabilityFrom(value));
  into.options.droppedCapabilities.push_back(std::move(name));
  return {};
}

Result<std::uint64_t> limitFrom(const std::string& text) {
  if (text == "-1" || text == "unlimited") return std::numeric_limits<std::uint64_t>::max();
  return numberFrom<std::uint64_t>(text);
}

Result<void> setUlimit(const std::string& value, Target into) {
  const auto equals = value.find('=');
  if (equals == std::string::npos) return bad("must be NAME=SOFT[:HARD]");
  std::string name = value.substr(0, equals);
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  mesos::v1::RLimitInfo::RLimit::Type type{};
  if (!mesos::v1::RLimitInfo::RLimit::Type_Parse("RLMT_" + name, &type)) return bad("names no limit");
  const auto parts = split(value.substr(equals + 1), ':');
  if (parts.size() > 2) return bad("must be NAME=SOFT[:HARD]");
  TRY(const std::uint64_t soft, limitFrom(parts.front()));
  TRY(const std::uint64_t hard, limitFrom(parts.back()));
  if (soft > hard) return bad("the soft limit exceeds the hard one");
  std::erase_if(into.request.rlimits, [&name](const auto& limit) { return limit.type == "RLIMIT_" + name; });
  into.request.rlimits.push_back({"RLIMIT_" + name, soft, hard});
  return {};
}

Result<Bytes> sizeFrom(const std::string& text) {
  auto size = parseBytes(text);
  if (!size) return bad("is no size like '64m'");
  if (size->count == 0) return bad("must be greater than 0");
  return *size;
}

Result<void> setShmSize(const std::string& value, Target into) {
  TRY(into.request.shmSize, sizeFrom(value));
  return {};
}

// What a task may use is what it was given of the agent; an option can only set a ceiling above that.
Result<void> setMemory(const std::string& value, Target into) {
  TRY(const Bytes size, sizeFrom(value));
  const auto& requested = into.request.resources.memory;
  if (requested && size < *requested) return bad("is below the task's 'mem' of " + toString(*requested));
  into.request.resources.memoryLimit = size;
  return {};
}

Result<void> setCpus(const std::string& value, Target into) {
  TRY(const double cpus, numberFrom<double>(value));
  if (!(cpus > 0) || std::isinf(cpus)) return bad("must be greater than 0");
  const auto& requested = into.request.resources.cpus;
  if (requested && cpus < *requested) return bad("is below the task's 'cpus'");
  into.request.resources.cpusLimit = cpus;
  return {};
}

Result<void> setPidsLimit(const std::string& value, Target into) {
  TRY(const std::uint64_t pids, numberFrom<std::uint64_t>(value));
  if (pids == 0 || pids > 4194304) return bad("must be from 1 to 4194304");
  into.request.resources.pids = pids;
  return {};
}

Result<void> setReadOnly(const std::string& value, Target into) {
  TRY(into.request.security.readOnlyRootfs, flagFrom(value));
  return {};
}

Result<void> setPrivileged(const std::string& value, Target into) {
  TRY(into.request.security.privileged, flagFrom(value));
  return {};
}

Result<void> setTty(const std::string& value, Target into) {
  TRY(into.request.terminal, flagFrom(value));
  return {};
}

Result<void> setInteractive(const std::string& value, Target into) {
  TRY(into.request.openStdin, flagFrom(value));
  return {};
}

Result<void> addTmpfs(const std::string& value, Target into) {
  const auto colon = value.find(':');
  Volume volume;
  volume.source = Volume::Source::Tmpfs;
  volume.containerPath = value.substr(0, colon);
  if (!volume.containerPath.starts_with('/')) return bad("the path in the container must be absolute");
  if (colon != std::string::npos) volume.tmpfsOptions = split(value.substr(colon + 1), ',');
  into.request.volumes.push_back(std::move(volume));
  return {};
}

Result<void> setNetwork(const std::string& value, Target into) {
  if (value.starts_with("container:")) return notHere("shares the network of another container");
  TRY(into.options.network, filled(value));
  return {};
}

Result<void> publish(const std::string& value, Target into) {
  PortMapping mapping;
  std::string ports = value;
  if (const auto slash = ports.find('/'); slash != std::string::npos) {
    const std::string protocol = ports.substr(slash + 1);
    if (protocol != "tcp" && protocol != "udp") return bad("the protocol must be 'tcp' or 'udp'");
    if (protocol == "udp") mapping.protocol = PortMapping::Protocol::Udp;
    ports.erase(slash);
  }
  const auto parts = split(ports, ':');
  if (parts.size() > 2) return notHere("binds a port to one address of the host");
  TRY(mapping.containerPort, numberFrom<std::uint16_t>(parts.back()));
  if (mapping.containerPort == 0) return bad("the container's port must be from 1 to 65535");
  if (parts.size() == 2) {
    TRY(mapping.hostPort, numberFrom<std::uint16_t>(parts.front()));
  }
  into.options.published.push_back(mapping);
  return {};
}

Result<void> setSecurityOption(const std::string& value, Target into) {
  if (value == "seccomp=unconfined" || value == "seccomp:unconfined") {
    into.request.security.seccompUnconfined = true;
    return {};
  }
  // How containers are anyway.
  const bool isDefault = value == "no-new-privileges" || value == "no-new-privileges:true" ||
                         value == "no-new-privileges=true" || value == "apparmor=unconfined" ||
                         value == "apparmor:unconfined" || value == "label=disable" || value == "label:disable";
  if (isDefault) return {};
  return notHere("is not supported by this agent");
}

Result<void> setIpc(const std::string& value, Target into) {
  if (value == "host") {
    into.request.security.shareIpcNamespace = true;
    return {};
  }
  if (value == "private") return {};
  return notHere("must be 'host' or 'private'");
}

Result<void> setPid(const std::string& value, Target into) {
  if (value != "host") return notHere("must be 'host'");
  into.request.security.sharePidNamespace = true;
  return {};
}

// Options that can only be what they are by default.
template <bool kDefault>
Result<void> keepFlag(const std::string& value, Target /*into*/) {
  TRY(const bool wanted, flagFrom(value));
  if (wanted == kDefault) return {};
  return notHere("is not supported by this agent");
}

Result<void> keepRestart(const std::string& value, Target /*into*/) {
  if (value == "no") return {};
  return notHere("is for the framework to decide");
}

Result<void> nothingToDo(const std::string& /*value*/, Target /*into*/) {
  return {};
}

const std::map<std::string_view, Apply>& options() {
  static const std::map<std::string_view, Apply> table = {
      {"cap-add", addCapability},
      {"cap-drop", dropCapability},
      {"cpus", setCpus},
      {"entrypoint", setEntrypoint},
      {"env", setEnvironment},
      // Says which ports there are, and opens none.
      {"expose", nothingToDo},
      {"hostname", setHostname},
      {"init", keepFlag<false>},
      {"interactive", setInteractive},
      {"ipc", setIpc},
      {"label", setLabel},
      {"memory", setMemory},
      {"net", setNetwork},
      {"network", setNetwork},
      {"oom-kill-disable", keepFlag<false>},
      {"pid", setPid},
      {"pids-limit", setPidsLimit},
      {"privileged", setPrivileged},
      {"publish", publish},
      {"read-only", setReadOnly},
      {"restart", keepRestart},
      // What is over is cleaned up in any case.
      {"rm", nothingToDo},
      {"security-opt", setSecurityOption},
      {"shm-size", setShmSize},
      {"tmpfs", addTmpfs},
      {"tty", setTty},
      {"ulimit", setUlimit},
      {"user", setUser},
      {"volume", addVolume},
      {"workdir", setWorkdir},
  };
  return table;
}

}  // namespace

Result<DockerOptions> readDockerParameters(const DockerParameters& parameters, const std::string& field,
                                           ContainerRequest& into) {
  DockerOptions read;
  for (int i = 0; i < parameters.size(); ++i) {
    const std::string entry = field + ".parameters[" + std::to_string(i) + "]";
    const auto& [key, value] = std::pair(parameters[i].key(), parameters[i].value());
    TRY_VOID(checkText(value, entry + ".value"));
    const auto option = options().find(key);
    if (option == options().end()) return notHere(entry + ".key: '--" + key + "' is not supported by this agent");
    if (auto applied = option->second(value, {into, read}); !applied) {
      return Error(applied.error().code(),
                   entry + ".value: '--" + key + "=" + value + "' " + applied.error().message());
    }
  }
  return read;
}

}  // namespace gantry::agent::wire
