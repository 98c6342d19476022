#include "network/config.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "kernel/file.hpp"

namespace gantry::network {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxFile = 1U << 20U;
constexpr std::size_t kMaxDepth = 64;
// Of the escaped form; plug-ins make file names of it.
constexpr std::size_t kMaxPlainId = 200;

bool isAlphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// CNI's rule for network names and container ids.
bool isPlain(std::string_view text) {
  const auto allowed = [](char c) { return isAlphanumeric(c) || c == '_' || c == '.' || c == '-'; };
  return !text.empty() && isAlphanumeric(text.front()) && std::all_of(text.begin(), text.end(), allowed);
}

Result<Json> parseObject(std::string_view text) {
  int deepest = 0;
  const auto limit = [&deepest](int depth, Json::parse_event_t, Json&) {
    deepest = std::max(deepest, depth);
    return static_cast<std::size_t>(depth) <= kMaxDepth;
  };
  Json parsed = Json::parse(text, limit, false);
  if (deepest > static_cast<int>(kMaxDepth)) return Error(Code::InvalidArgument, "is nested too deeply");
  if (!parsed.is_object()) return Error(Code::InvalidArgument, "is not a JSON object");
  return parsed;
}

Result<std::string> textMember(const Json& object, const char* name, const std::string& otherwise) {
  const auto found = object.find(name);
  if (found == object.end()) return otherwise;
  if (!found->is_string()) return Error::invalid(name, "must be a text");
  return found->get<std::string>();
}

Result<PluginConfig> readPlugin(const Json& object, const std::string& path) {
  if (!object.is_object()) return Error::invalid(path, "must be an object");
  PluginConfig plugin;
  TRY(plugin.type, textMember(object, "type", "").under(path));
  TRY_VOID(checkPluginType(plugin.type).under(fmt::format("{}.type", path)));
  const auto capabilities = object.find("capabilities");
  if (capabilities != object.end()) {
    if (!capabilities->is_object()) return Error::invalid(path + ".capabilities", "must be an object");
    for (const auto& [name, enabled] : capabilities->items()) {
      if (enabled.is_boolean() && enabled.get<bool>()) plugin.capabilities.insert(name);
    }
  }
  plugin.text = object.dump();
  return plugin;
}

bool hasSuffix(const std::string& name) {
  return name.ends_with(".conf") || name.ends_with(".conflist") || name.ends_with(".json");
}

}  // namespace

bool NetworkConfig::hasCapability(const std::string& capability) const {
  return std::any_of(plugins.begin(), plugins.end(),
                     [&](const PluginConfig& plugin) { return plugin.capabilities.contains(capability); });
}

Result<void> checkNetworkName(std::string_view name) {
  if (isPlain(name) && name.size() <= 128) return {};
  return Error(
      Code::InvalidArgument,
      fmt::format("'{}' is no network name: 1 to 128 letters, digits, '_', '.' and '-', the first one a letter "
                  "or digit",
                  name));
}

Result<void> checkPluginType(std::string_view type) {
  if (type.empty()) return Error(Code::InvalidArgument, "is missing");
  if (type.find('/') != std::string_view::npos || type == "." || type == "..") {
    return Error(Code::InvalidArgument, fmt::format("'{}' is not a program's name but a path", type));
  }
  return {};
}

std::string cniContainerId(std::string_view container) {
  if (isPlain(container) && container.size() <= kMaxPlainId && !container.starts_with("x-")) {
    return std::string(container);
  }
  std::string escaped = "x-";
  for (const char c : container) {
    if (isAlphanumeric(c) || c == '-') {
      escaped += c;
    } else {
      escaped += fmt::format("_{:02x}", static_cast<unsigned char>(c));
    }
  }
  return escaped;
}

Result<NetworkConfig> parseNetwork(std::string_view text) {
  TRY(const Json root, parseObject(text));
  NetworkConfig network;
  TRY(network.name, textMember(root, "name", ""));
  TRY_VOID(checkNetworkName(network.name).under("name"));
  TRY(network.version, textMember(root, "cniVersion", "0.2.0"));
  const auto plugins = root.find("plugins");
  if (plugins == root.end()) {
    TRY(PluginConfig only, readPlugin(root, "plugin"));
    network.plugins.push_back(std::move(only));
    return network;
  }
  if (!plugins->is_array() || plugins->empty()) return Error::invalid("plugins", "must be a list of at least one");
  for (std::size_t index = 0; index < plugins->size(); ++index) {
    TRY(PluginConfig plugin, readPlugin((*plugins)[index], fmt::format("plugins[{}]", index)));
    network.plugins.push_back(std::move(plugin));
  }
  return network;
}

std::string formatNetwork(const NetworkConfig& network) {
  Json root = {{"name", network.name}, {"cniVersion", network.version}, {"plugins", Json::array()}};
  for (const PluginConfig& plugin : network.plugins) root["plugins"].push_back(Json::parse(plugin.text));
  return root.dump();
}

Result<NetworkConfig> Catalogue::find(const std::string& name) const {
  const auto found = networks.find(name);
  if (found != networks.end()) return found->second;
  std::vector<std::string> known;
  for (const auto& [other, config] : networks) known.push_back(fmt::format("'{}'", other));
  std::string sentence = fmt::format("there is no network '{}'", name);
  sentence += known.empty() ? "; none is configured" : fmt::format("; there is {}", fmt::join(known, ", "));
  for (const auto& [file, reason] : broken) sentence += fmt::format("; '{}' cannot be used: {}", file, reason);
  return Error(Code::NotFound, std::move(sentence));
}

Result<Catalogue> loadNetworks(const std::string& directory) {
  Catalogue catalogue;
  auto names = kernel::listDirectory(directory);
  if (!names && names.error().code() == Code::NotFound) return catalogue;
  if (!names) return std::move(names).error();
  std::sort(names->begin(), names->end());
  std::map<std::string, std::string> files;
  for (const std::string& file : *names) {
    if (!hasSuffix(file)) continue;
    auto text = kernel::readFile(fmt::format("{}/{}", directory, file), kMaxFile);
    auto network = text ? parseNetwork(*text) : Result<NetworkConfig>(text.error());
    if (!network) {
      catalogue.broken[file] = network.error().message();
      continue;
    }
    const auto [first, fresh] = files.try_emplace(network->name, file);
    if (fresh) {
      catalogue.networks[network->name] = *std::move(network);
      continue;
    }
    // Which of the two was meant is for the operator to say.
    catalogue.broken[file] = fmt::format("'{}' has a network '{}' too", first->second, network->name);
    catalogue.broken[first->second] = fmt::format("'{}' has a network '{}' too", file, network->name);
    catalogue.networks.erase(network->name);
  }
  return catalogue;
}

}  // namespace gantry::network
