#include "cli/launch_request.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/bytes.hpp"
#include "cli/specs.hpp"

namespace gantry::cli {
namespace {

using nlohmann::json;

std::vector<std::string> wordsOf(const json& config, const char* name) {
  std::vector<std::string> words;
  const auto found = config.find(name);
  if (found == config.end() || !found->is_array()) return words;
  for (const json& word : *found) {
    if (word.is_string()) words.push_back(word.get<std::string>());
  }
  return words;
}

json scalar(const std::string& name, double value) {
  return {{"name", name}, {"type", "SCALAR"}, {"scalar", {{"value", value}}}};
}

Result<double> mebibytes(const std::string& option, const std::string& text) {
  TRY(const Bytes bytes, parseBytes(text).under(option));
  return static_cast<double>(bytes.count) / (1024.0 * 1024.0);
}

Result<json> commandJson(const std::vector<std::string>& words, const std::vector<std::string>& files,
                         const std::vector<std::string>& variables, const std::string& user) {
  json command = {{"shell", false}, {"value", words.front()}, {"arguments", words}};
  TRY(const auto environment, parseEnvironment(files, variables));
  for (const auto& [name, value] : environment) {
    command["environment"]["variables"].push_back({{"name", name}, {"value", value}});
  }
  if (!user.empty()) command["user"] = user;
  return command;
}

json terminalJson(WindowSize window) {
  if (window.rows == 0) return json::object();
  return {{"window_size", {{"rows", window.rows}, {"columns", window.columns}}}};
}

Result<void> addResources(const RunOptions& options, json& launch) {
  if (options.cpus) {
    if (!std::isfinite(*options.cpus) || *options.cpus <= 0) {
      return Error(Code::InvalidArgument, "--cpus must be a number greater than 0");
    }
    launch["resources"].push_back(scalar("cpus", *options.cpus));
    launch["limits"]["cpus"]["value"] = *options.cpus;
  }
  if (!options.memory.empty()) {
    TRY(const double value, mebibytes("--memory", options.memory));
    launch["resources"].push_back(scalar("mem", value));
  }
  if (!options.disk.empty()) {
    TRY(const double value, mebibytes("--disk", options.disk));
    launch["resources"].push_back(scalar("disk", value));
  }
  if (options.pidsLimit) launch["resources"].push_back(scalar("pids", *options.pidsLimit));
  return {};
}

Result<void> addNetworks(const RunOptions& options, json& container) {
  std::vector<std::string> names = options.networks;
  if (names.empty()) names.push_back("bridge");
  for (const std::string& name : names) container["network_infos"].push_back({{"name", name}});
  for (const std::string& text : options.ports) {
    TRY(const auto ports, parsePorts(text));
    for (const PortSpec& port : ports) {
      container["network_infos"][0]["port_mappings"].push_back(
          {{"host_port", port.host}, {"container_port", port.container}, {"protocol", port.udp ? "udp" : "tcp"}});
    }
  }
  return {};
}

Result<void> addVolumes(const RunOptions& options, json& container) {
  for (const std::string& text : options.volumes) {
    TRY(const VolumeSpec spec, parseVolume(text));
    container["volumes"].push_back(
        {{"container_path", spec.target},
         {"mode", spec.readOnly ? "RO" : "RW"},
         {"source",
          {{"type", "HOST_PATH"},
           {"host_path",
            {{"path", spec.source},
             {"mount_propagation", {{"mode", spec.bidirectional ? "BIDIRECTIONAL" : "HOST_TO_CONTAINER"}}}}}}}});
  }
  return {};
}

Result<void> addSecurity(const RunOptions& options, json& container) {
  TRY(const auto capabilities, parseCapabilities(options.capAdd, options.capDrop));
  if (capabilities) {
    container["linux_info"]["effective_capabilities"]["capabilities"] = *capabilities;
    container["linux_info"]["bounding_capabilities"]["capabilities"] = *capabilities;
  }
  for (const std::string& option : options.securityOptions) {
    if (option != "seccomp=unconfined") {
      return Error(Code::InvalidArgument, "--security-opt '" + option + "': only seccomp=unconfined is known");
    }
    container["linux_info"]["seccomp"]["unconfined"] = true;
  }
  if (!options.shmSize.empty()) {
    TRY(const double value, mebibytes("--shm-size", options.shmSize));
    if (value < 1) return Error(Code::InvalidArgument, "--shm-size must be at least 1m");
    container["linux_info"]["ipc_mode"] = "PRIVATE";
    container["linux_info"]["shm_size"] = static_cast<std::uint64_t>(std::ceil(value));
  }
  for (const std::string& text : options.ulimits) {
    TRY(const UlimitSpec spec, parseUlimit(text));
    json limit = {{"type", spec.type}};
    if (spec.soft) limit["soft"] = *spec.soft;
    if (spec.hard) limit["hard"] = *spec.hard;
    container["rlimit_info"]["rlimits"].push_back(std::move(limit));
  }
  return {};
}

json optionsJson(const RunOptions& options) {
  json extra = json::object();
  if (options.interactive) extra["open_stdin"] = true;
  if (!options.workdir.empty()) extra["working_directory"] = options.workdir;
  if (options.readOnly) extra["read_only_rootfs"] = true;
  if (options.privileged) extra["privileged"] = true;
  if (!options.capAdd.empty() || !options.capDrop.empty()) extra["only_root_has_capabilities"] = true;
  for (const std::string& text : options.labels) {
    const auto [key, value] = parseLabel(text);
    extra["labels"][key] = value;
  }
  return extra;
}

// Words from a shell need not be UTF-8, which JSON has to be.
Result<std::string> dump(const json& document) {
  try {
    return document.dump();
  } catch (const json::exception&) {
    return Error(Code::InvalidArgument, "an argument is not UTF-8");
  }
}

}  // namespace

ImageProgram parseImageProgram(const std::string& configJson) {
  const json document = json::parse(configJson, nullptr, false);
  if (!document.is_object()) return {};
  const auto config = document.find("config");
  if (config == document.end() || !config->is_object()) return {};
  return {wordsOf(*config, "Entrypoint"), wordsOf(*config, "Cmd")};
}

Result<std::vector<std::string>> programOf(const RunOptions& options, const ImageProgram& image) {
  std::vector<std::string> words = image.entrypoint;
  if (options.entrypoint) {
    words.clear();
    if (!options.entrypoint->empty()) words.push_back(*options.entrypoint);
  }
  const bool usesImageCommand = options.command.empty() && !options.entrypoint;
  const auto& rest = usesImageCommand ? image.command : options.command;
  words.insert(words.end(), rest.begin(), rest.end());
  if (words.empty()) return Error(Code::InvalidArgument, "the image has no command: give one behind it");
  return words;
}

Result<std::string> launchBody(const RunOptions& options, const std::string& id, const ImageProgram& image,
                               WindowSize window) {
  TRY(const auto words, programOf(options, image));
  json container = {{"type", "MESOS"},
                    {"mesos", {{"image", {{"type", "DOCKER"}, {"docker", {{"name", options.image}}}}}}}};
  TRY_VOID(addNetworks(options, container));
  TRY_VOID(addVolumes(options, container));
  TRY_VOID(addSecurity(options, container));
  if (!options.hostname.empty()) container["hostname"] = options.hostname;
  if (options.terminal) container["tty_info"] = terminalJson(window);

  json launch = {{"container_id", {{"value", id}}}};
  TRY(launch["command"], commandJson(words, options.environmentFiles, options.environment, options.user));
  TRY_VOID(addResources(options, launch));
  launch["container"] = std::move(container);
  return dump({{"launch_container", std::move(launch)}, {"options", optionsJson(options)}});
}

Result<std::string> sessionBody(const ExecOptions& options, const std::string& sessionId, WindowSize window) {
  json launch = {{"container_id", {{"value", sessionId}, {"parent", {{"value", options.container}}}}}};
  TRY(launch["command"], commandJson(options.command, options.environmentFiles, options.environment, options.user));
  if (options.terminal) launch["container"] = {{"type", "MESOS"}, {"tty_info", terminalJson(window)}};
  json body = {{"launch_nested_container_session", std::move(launch)}};
  if (!options.workdir.empty()) body["options"]["working_directory"] = options.workdir;
  return dump(body);
}

}  // namespace gantry::cli
