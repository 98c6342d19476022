#include "network/cni.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "async/process.hpp"
#include "async/scope.hpp"
#include "base/log.hpp"
#include "kernel/file.hpp"
#include "network/cni_result.hpp"

namespace gantry::network {
namespace {

using Json = nlohmann::json;

Json portMappingsJson(const std::vector<PortMapping>& mappings) {
  Json list = Json::array();
  for (const PortMapping& mapping : mappings) {
    list.push_back({{"hostPort", mapping.hostPort},
                    {"containerPort", mapping.containerPort},
                    {"protocol", toString(mapping.protocol)}});
  }
  return list;
}

// The request's entry, as Mesos spells a NetworkInfo.
Json networkInfo(const CniAttachment& attachment) {
  Json info = {{"name", attachment.requested}};
  for (const auto& [key, value] : attachment.labels) {
    info["labels"]["labels"].push_back({{"key", key}, {"value", value}});
  }
  for (const PortMapping& mapping : attachment.portMappings) {
    info["port_mappings"].push_back({{"host_port", mapping.hostPort},
                                     {"container_port", mapping.containerPort},
                                     {"protocol", toString(mapping.protocol)}});
  }
  return info;
}

// Beside what the operator's configuration has in "args"; the key below it is Mesos' own.
Result<void> addNetworkInfo(Json& config, const CniAttachment& attachment) {
  Json& args = config["args"];
  if (!args.is_null() && !args.is_object()) return Error::invalid("args", "must be an object");
  Json& mesos = args["org.apache.mesos"];
  if (!mesos.is_null() && !mesos.is_object()) return Error::invalid("args.\"org.apache.mesos\"", "must be an object");
  mesos["network_info"] = networkInfo(attachment);
  return {};
}

// The plug-in's own configuration with what the runtime adds to it.
Result<std::string> configurationFor(const CniAttachment& attachment, std::size_t index, const std::string& previous) {
  const PluginConfig& plugin = attachment.network.plugins[index];
  Json config = Json::parse(plugin.text);
  config["name"] = attachment.network.name;
  config["cniVersion"] = attachment.network.version;
  config.erase("capabilities");
  TRY_VOID(addNetworkInfo(config, attachment));
  if (plugin.capabilities.contains("portMappings") && !attachment.portMappings.empty()) {
    config["runtimeConfig"]["portMappings"] = portMappingsJson(attachment.portMappings);
  }
  if (!previous.empty()) {
    Json result = Json::parse(previous, nullptr, false);
    if (!result.is_object()) return Error(Code::InvalidArgument, "the result before it is not a JSON object");
    config["prevResult"] = std::move(result);
  }
  return config.dump();
}

bool isProgram(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

}  // namespace

bool isAtLeast(const std::string& text, int major, int minor) {
  int parts[2] = {0, 0};
  const char* position = text.data();
  const char* const end = text.data() + text.size();
  for (int& part : parts) {
    const auto read = std::from_chars(position, end, part);
    if (read.ec != std::errc()) return false;
    position = read.ptr == end ? end : read.ptr + 1;
  }
  return parts[0] > major || (parts[0] == major && parts[1] >= minor);
}

Cni::Cni(std::string pluginPath, std::chrono::nanoseconds timeout)
    : pluginPath_(std::move(pluginPath)), timeout_(timeout) {}

Result<std::string> Cni::locate(const std::string& type) const {
  TRY_VOID(checkPluginType(type));
  std::string_view rest = pluginPath_;
  while (!rest.empty()) {
    const std::size_t colon = rest.find(':');
    const std::string path = fmt::format("{}/{}", rest.substr(0, colon), type);
    if (isProgram(path)) return path;
    rest = colon == std::string_view::npos ? std::string_view() : rest.substr(colon + 1);
  }
  return Error(Code::NotFound, fmt::format("plug-in '{}' is not in '{}'", type, pluginPath_));
}

async::Task<Result<std::string>> Cni::add(CniAttachment attachment, std::string namespacePath) {
  std::string previous;
  for (std::size_t index = 0; index < attachment.network.plugins.size(); ++index) {
    auto result = co_await run("ADD", attachment, index, namespacePath, previous);
    if (result) {
      previous = *std::move(result);
      continue;
    }
    // The failed one may have done a part of its work, so it is undone with the others.
    attachment.result = previous;
    auto undoing = del(attachment, namespacePath);
    const auto undone = co_await async::shield(std::move(undoing));
    if (!undone)
      log::warning("network left behind", {{"container", attachment.containerId}, {"error", undone.error()}});
    co_return std::move(result).error();
  }
  co_return previous;
}

async::Task<Result<void>> Cni::del(CniAttachment attachment, std::string namespacePath) {
  const std::string previous = isAtLeast(attachment.network.version, 0, 4) ? attachment.result : "";
  Result<void> outcome;
  for (std::size_t index = attachment.network.plugins.size(); index-- > 0;) {
    const auto result = co_await run("DEL", attachment, index, namespacePath, previous);
    if (!result && outcome) outcome = result.error();
  }
  co_return outcome;
}

async::Task<Result<void>> Cni::check(CniAttachment attachment, std::string namespacePath) {
  if (!isAtLeast(attachment.network.version, 0, 4)) co_return Result<void>();
  for (std::size_t index = 0; index < attachment.network.plugins.size(); ++index) {
    CO_TRY_VOID(co_await run("CHECK", attachment, index, namespacePath, attachment.result));
  }
  co_return Result<void>();
}

async::Task<Result<std::string>> Cni::run(std::string command, CniAttachment attachment, std::size_t plugin,
                                          std::string namespacePath, std::string previous) {
  const std::string type = attachment.network.plugins[plugin].type;
  const std::string purpose = fmt::format("network '{}', plug-in '{}' ({})", attachment.network.name, type, command);
  CO_TRY(std::string program, locate(type).under(fmt::format("network '{}'", attachment.network.name)));
  async::RunOptions options;
  CO_TRY(options.input, configurationFor(attachment, plugin, previous).under(purpose));
  options.deadline = timeout_;

  kernel::Command line;
  line.program = std::move(program);
  line.environment = {"CNI_COMMAND=" + command,
                      "CNI_CONTAINERID=" + attachment.containerId,
                      "CNI_IFNAME=" + attachment.interface,
                      "CNI_NETNS=" + namespacePath,
                      "CNI_PATH=" + pluginPath_,
                      "CNI_ARGS=IgnoreUnknown=1",
                      "PATH=" + searchPath_};
  line.workingDirectory = "/";
  auto output = co_await async::run(std::move(line), std::move(options));
  if (!output && output.error().code() == Code::Timeout) {
    co_return Error(Code::Timeout,
                    fmt::format("{}: did not end within {} and was killed", purpose, async::toString(timeout_)));
  }
  if (!output) co_return std::move(output).error().under(purpose);
  if (!output->succeeded()) co_return pluginError(output->out, output->err, output->status).under(purpose);
  co_return std::move(output->out);
}

}  // namespace gantry::network
