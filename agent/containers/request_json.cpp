#include "agent/containers/request_json.hpp"

#include <cmath>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace gantry::agent {
namespace {

using isolators::Command;
using isolators::ContainerRequest;
using isolators::NetworkAttachment;
using isolators::PortMapping;
using isolators::Resources;
using isolators::Rlimit;
using isolators::Security;
using isolators::Volume;
using nlohmann::json;

// The spellings of the enumerations, both ways.
constexpr std::pair<Volume::Source, std::string_view> kSources[] = {
    {Volume::Source::HostPath, "host_path"},
    {Volume::Source::SandboxPath, "sandbox_path"},
    {Volume::Source::Tmpfs, "tmpfs"},
};
constexpr std::pair<Volume::Propagation, std::string_view> kPropagations[] = {
    {Volume::Propagation::Private, "private"},
    {Volume::Propagation::HostToContainer, "host_to_container"},
    {Volume::Propagation::Bidirectional, "bidirectional"},
};
constexpr std::pair<PortMapping::Protocol, std::string_view> kProtocols[] = {
    {PortMapping::Protocol::Tcp, "tcp"},
    {PortMapping::Protocol::Udp, "udp"},
};

template <typename Table, typename Value>
std::string spell(const Table& table, Value value) {
  for (const auto& [known, text] : table) {
    if (known == value) return std::string(text);
  }
  ENSURE(false, "an enumeration value without a spelling");
}

// JSON has no infinity.
json fromCores(double cores) {
  return std::isinf(cores) ? json("infinity") : json(cores);
}

template <typename T>
void set(json& object, const char* name, const std::optional<T>& value) {
  if (value) object[name] = *value;
}
void set(json& object, const char* name, const std::optional<Bytes>& value) {
  if (value) object[name] = value->count;
}
void setIf(json& object, const char* name, bool value) {
  if (value) object[name] = true;
}
template <typename Container>
void setFilled(json& object, const char* name, const Container& value) {
  if (!value.empty()) object[name] = value;
}

json fromCommand(const Command& command) {
  json object = {{"shell", command.shell}};
  set(object, "value", command.value);
  setFilled(object, "arguments", command.arguments);
  setIf(object, "arguments_replace_command", command.argumentsReplaceCommand);
  setFilled(object, "environment", command.environment);
  set(object, "user", command.user);
  set(object, "working_directory", command.workingDirectory);
  return object;
}

json fromResources(const Resources& resources) {
  json object = json::object();
  if (resources.cpus) object["cpus"] = fromCores(*resources.cpus);
  if (resources.cpusLimit) object["cpus_limit"] = fromCores(*resources.cpusLimit);
  set(object, "memory", resources.memory);
  set(object, "memory_limit", resources.memoryLimit);
  set(object, "pids", resources.pids);
  set(object, "disk", resources.disk);
  return object;
}

json fromVolume(const Volume& volume) {
  json object = {{"source", spell(kSources, volume.source)},
                 {"path", volume.path},
                 {"container_path", volume.containerPath},
                 {"propagation", spell(kPropagations, volume.propagation)}};
  setIf(object, "read_only", volume.readOnly);
  setFilled(object, "tmpfs_options", volume.tmpfsOptions);
  return object;
}

json fromNetwork(const NetworkAttachment& network) {
  json object = {{"name", network.name}};
  for (const PortMapping& mapping : network.portMappings) {
    object["port_mappings"].push_back({{"host_port", mapping.hostPort},
                                       {"container_port", mapping.containerPort},
                                       {"protocol", spell(kProtocols, mapping.protocol)}});
  }
  setFilled(object, "labels", network.labels);
  return object;
}

json fromSecurity(const Security& security) {
  json object = json::object();
  setIf(object, "privileged", security.privileged);
  setIf(object, "share_ipc_namespace", security.shareIpcNamespace);
  setIf(object, "share_pid_namespace", security.sharePidNamespace);
  set(object, "effective_capabilities", security.effectiveCapabilities);
  set(object, "bounding_capabilities", security.boundingCapabilities);
  setIf(object, "only_root_has_capabilities", security.onlyRootHasCapabilities);
  setIf(object, "seccomp_unconfined", security.seccompUnconfined);
  setIf(object, "read_only_rootfs", security.readOnlyRootfs);
  return object;
}

json fromRequest(const ContainerRequest& request) {
  json object = {{"id", request.id.text()},
                 {"use_cached_image", request.useCachedImage},
                 {"command", fromCommand(request.command)}};
  set(object, "sandbox", request.sandbox);
  set(object, "image", request.image);
  setFilled(object, "resources", fromResources(request.resources));
  for (const Volume& volume : request.volumes) object["volumes"].push_back(fromVolume(volume));
  for (const NetworkAttachment& network : request.networks) object["networks"].push_back(fromNetwork(network));
  set(object, "hostname", request.hostname);
  setFilled(object, "security", fromSecurity(request.security));
  for (const Rlimit& limit : request.rlimits) {
    object["rlimits"].push_back({{"type", limit.type}, {"soft", limit.soft}, {"hard", limit.hard}});
  }
  set(object, "shm_size", request.shmSize);
  setIf(object, "terminal", request.terminal);
  if (request.terminalRows != 0) object["terminal_rows"] = request.terminalRows;
  if (request.terminalColumns != 0) object["terminal_columns"] = request.terminalColumns;
  setIf(object, "open_stdin", request.openStdin);
  setFilled(object, "labels", request.labels);
  return object;
}

// Reads one JSON object. Remembers the first thing that is wrong, by the path of its member, and goes on with defaults,
// so that the readers below stay a list of members.
class Reader {
 public:
  Reader(const json& object, std::string path, std::optional<Error>& problem)
      : object_(object), path_(std::move(path)), problem_(problem) {
    if (!object.is_object()) complain(path_, "is not an object");
  }

  template <typename T>
  void read(const char* name, T& into) {
    const json* member = find(name);
    if (member == nullptr) return;
    try {
      into = member->get<T>();
    } catch (const json::exception& e) {
      complain(pathOf(name), e.what());
    }
  }
  template <typename T>
  void read(const char* name, std::optional<T>& into) {
    if (find(name) == nullptr) return;
    into.emplace();
    read(name, *into);
  }
  void read(const char* name, Bytes& into) { read(name, into.count); }
  void readCores(const char* name, std::optional<double>& into) {
    const json* member = find(name);
    if (member != nullptr && *member == "infinity") {
      into = Resources::kInfinity;
    } else {
      read(name, into);
    }
  }
  template <typename Table, typename Value>
  void read(const char* name, const Table& table, Value& into) {
    std::string text;
    read(name, text);
    for (const auto& [known, spelling] : table) {
      if (spelling == text) {
        into = known;
        return;
      }
    }
    complain(pathOf(name), fmt::format("'{}' is not known", text));
  }

  // Calls `each` with a Reader for the object at `name`, or for each object of the list there.
  template <typename Function>
  void inside(const char* name, Function each) {
    if (const json* member = find(name)) each(Reader(*member, pathOf(name), problem_));
  }
  template <typename Function>
  void forEach(const char* name, Function each) {
    const json* member = find(name);
    if (member == nullptr) return;
    if (!member->is_array()) return complain(pathOf(name), "is not an array");
    for (std::size_t i = 0; i < member->size(); ++i) {
      each(Reader((*member)[i], fmt::format("{}[{}]", pathOf(name), i), problem_));
    }
  }

 private:
  const json* find(const char* name) const {
    if (!object_.is_object()) return nullptr;
    const auto found = object_.find(name);
    return found == object_.end() ? nullptr : &*found;
  }
  std::string pathOf(const char* name) const { return path_.empty() ? name : path_ + "." + name; }
  void complain(const std::string& path, std::string_view reason) {
    if (!problem_) problem_ = Error::invalid(path.empty() ? "request" : path, reason);
  }

  const json& object_;
  std::string path_;
  std::optional<Error>& problem_;
};

Command readCommand(Reader from) {
  Command command;
  from.read("shell", command.shell);
  from.read("value", command.value);
  from.read("arguments", command.arguments);
  from.read("arguments_replace_command", command.argumentsReplaceCommand);
  from.read("environment", command.environment);
  from.read("user", command.user);
  from.read("working_directory", command.workingDirectory);
  return command;
}

Resources readResources(Reader from) {
  Resources resources;
  from.readCores("cpus", resources.cpus);
  from.readCores("cpus_limit", resources.cpusLimit);
  from.read("memory", resources.memory);
  from.read("memory_limit", resources.memoryLimit);
  from.read("pids", resources.pids);
  from.read("disk", resources.disk);
  return resources;
}

Volume readVolume(Reader from) {
  Volume volume;
  from.read("source", kSources, volume.source);
  from.read("path", volume.path);
  from.read("container_path", volume.containerPath);
  from.read("propagation", kPropagations, volume.propagation);
  from.read("read_only", volume.readOnly);
  from.read("tmpfs_options", volume.tmpfsOptions);
  return volume;
}

PortMapping readPortMapping(Reader from) {
  PortMapping mapping;
  from.read("host_port", mapping.hostPort);
  from.read("container_port", mapping.containerPort);
  from.read("protocol", kProtocols, mapping.protocol);
  return mapping;
}

NetworkAttachment readNetwork(Reader from) {
  NetworkAttachment network;
  from.read("name", network.name);
  from.forEach("port_mappings", [&](Reader each) { network.portMappings.push_back(readPortMapping(each)); });
  from.read("labels", network.labels);
  return network;
}

Security readSecurity(Reader from) {
  Security security;
  from.read("privileged", security.privileged);
  from.read("share_ipc_namespace", security.shareIpcNamespace);
  from.read("share_pid_namespace", security.sharePidNamespace);
  from.read("effective_capabilities", security.effectiveCapabilities);
  from.read("bounding_capabilities", security.boundingCapabilities);
  from.read("only_root_has_capabilities", security.onlyRootHasCapabilities);
  from.read("seccomp_unconfined", security.seccompUnconfined);
  from.read("read_only_rootfs", security.readOnlyRootfs);
  return security;
}

Rlimit readRlimit(Reader from) {
  Rlimit limit;
  from.read("type", limit.type);
  from.read("soft", limit.soft);
  from.read("hard", limit.hard);
  return limit;
}

void readRequest(Reader from, ContainerRequest& request) {
  from.read("sandbox", request.sandbox);
  from.read("image", request.image);
  from.read("use_cached_image", request.useCachedImage);
  from.inside("command", [&](Reader each) { request.command = readCommand(each); });
  from.inside("resources", [&](Reader each) { request.resources = readResources(each); });
  from.forEach("volumes", [&](Reader each) { request.volumes.push_back(readVolume(each)); });
  from.forEach("networks", [&](Reader each) { request.networks.push_back(readNetwork(each)); });
  from.read("hostname", request.hostname);
  from.inside("security", [&](Reader each) { request.security = readSecurity(each); });
  from.forEach("rlimits", [&](Reader each) { request.rlimits.push_back(readRlimit(each)); });
  from.read("shm_size", request.shmSize);
  from.read("terminal", request.terminal);
  from.read("terminal_rows", request.terminalRows);
  from.read("terminal_columns", request.terminalColumns);
  from.read("open_stdin", request.openStdin);
  from.read("labels", request.labels);
}

}  // namespace

Result<std::string> toJson(const ContainerRequest& request) {
  try {
    return fromRequest(request).dump();
  } catch (const json::exception& e) {
    return Error::invalid("request", e.what());
  }
}

Result<ContainerRequest> parseRequest(std::string_view text) {
  const json object = json::parse(text, nullptr, false);
  if (object.is_discarded()) return Error::invalid("request", "is not JSON");
  std::optional<Error> problem;
  Reader reader(object, "", problem);
  std::string name;
  reader.read("id", name);
  TRY(auto id, ContainerId::parse(name).under("id"));
  ContainerRequest request(std::move(id));
  readRequest(reader, request);
  if (problem) return *problem;
  return request;
}

}  // namespace gantry::agent
