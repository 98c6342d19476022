#include "agent/config/json_values.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "kernel/capability.hpp"

namespace gantry::agent {
namespace {

using nlohmann::json;

Error reason(std::string text) {
  return Error(Code::InvalidArgument, std::move(text));
}

// The object that `text` is; an empty one for "".
Result<json> parseObject(std::string_view text) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return json::object();
  json value = json::parse(text, nullptr, false);
  if (value.is_discarded()) return reason("must be JSON, and is not");
  if (!value.is_object()) return reason(fmt::format("must be a JSON object, not {}", value.type_name()));
  return value;
}

// Of an object with this one key or none.
Result<json> onlyKey(const json& object, const std::string& key) {
  for (const auto& [name, value] : object.items()) {
    if (name != key) return reason(fmt::format("has the key '{}', and only '{}' is known", name, key));
  }
  return object.value(key, json());
}

Result<std::vector<std::string>> textList(const json& value, std::string_view name) {
  std::vector<std::string> texts;
  if (value.is_null()) return texts;
  if (!value.is_array()) return reason(fmt::format("'{}' must be a list, not {}", name, value.type_name()));
  for (const json& text : value) {
    if (!text.is_string()) {
      return reason(fmt::format("'{}' must be a list of strings, not of {}", name, text.type_name()));
    }
    texts.push_back(text.get<std::string>());
  }
  return texts;
}

}  // namespace

Result<void> parseValue(std::string_view text, JsonObject& into) {
  TRY(const json object, parseObject(text));
  into.text = object.empty() ? "" : object.dump();
  return {};
}

Result<void> parseValue(std::string_view text, Variables& into) {
  TRY(const json object, parseObject(text));
  into.values.clear();
  for (const auto& [name, value] : object.items()) {
    if (name.empty() || name.find_first_of(std::string_view("=\0", 2)) != std::string::npos) {
      return reason(fmt::format("has '{}', which is no variable's name", name));
    }
    if (!value.is_string()) {
      return reason(fmt::format("gives '{}' a value that is {}, and not a string", name, value.type_name()));
    }
    into.values[name] = value.get<std::string>();
    if (into.values[name].find('\0') != std::string::npos) {
      return reason(fmt::format("gives '{}' a value with a NUL character", name));
    }
  }
  return {};
}

Result<void> parseValue(std::string_view text, Capabilities& into) {
  TRY(const json object, parseObject(text));
  TRY(const json list, onlyKey(object, "capabilities"));
  TRY(std::vector<std::string> names, textList(list, "capabilities"));
  for (std::string& name : names) {
    const std::string full = name.starts_with("CAP_") ? name : "CAP_" + name;
    const auto number = kernel::capabilityNumber(full);
    if (!number) return reason(fmt::format("has '{}', which is no capability", name));
    name = kernel::capabilityName(*number);
  }
  into.names = std::move(names);
  return {};
}

Result<void> parseValue(std::string_view text, FirewallRules& into) {
  TRY(const json object, parseObject(text));
  TRY(const json endpoints, onlyKey(object, "disabled_endpoints"));
  if (!endpoints.is_null() && !endpoints.is_object()) {
    return reason(fmt::format("'disabled_endpoints' must be an object, not {}", endpoints.type_name()));
  }
  TRY(const json list, onlyKey(endpoints.is_null() ? json::object() : endpoints, "paths"));
  TRY(std::vector<std::string> paths, textList(list, "disabled_endpoints.paths"));
  for (const std::string& path : paths) {
    if (!path.starts_with('/')) return reason(fmt::format("has the path '{}', which does not begin with '/'", path));
  }
  into.disabledPaths = std::move(paths);
  return {};
}

std::string formatValue(const JsonObject& value) {
  return value.text;
}

std::string formatValue(const Variables& value) {
  return value.values.empty() ? "" : json(value.values).dump();
}

std::string formatValue(const Capabilities& value) {
  json names = json::array();
  for (const std::string& name : value.names) names.push_back(name.substr(std::string_view("CAP_").size()));
  return json{{"capabilities", std::move(names)}}.dump();
}

std::string formatValue(const FirewallRules& value) {
  if (value.disabledPaths.empty()) return "";
  return json{{"disabled_endpoints", {{"paths", value.disabledPaths}}}}.dump();
}

}  // namespace gantry::agent
