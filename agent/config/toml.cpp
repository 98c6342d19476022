#include "agent/config/toml.hpp"

#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include "agent/config/options.hpp"
#include "kernel/file.hpp"

namespace gantry::agent {
namespace {

std::string_view describe(toml::node_type type) {
  switch (type) {
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a number with a fraction";
    case toml::node_type::boolean:
      return "a boolean";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::table:
      return "a table";
    default:
      return "a date or time";
  }
}

std::string_view describe(Kind kind) {
  switch (kind) {
    case Kind::Text:
    case Kind::Json:
      return "a string";
    case Kind::Integer:
      return "an integer";
    case Kind::TextOrInteger:
      return "a string or an integer";
    case Kind::Boolean:
      return "a boolean";
    case Kind::List:
      break;
  }
  return "a list of strings";
}

Result<std::string> listText(const toml::array& list) {
  std::vector<std::string> parts;
  for (const toml::node& node : list) {
    const auto part = node.value_exact<std::string>();
    if (!part)
      return Error(Code::InvalidArgument, fmt::format("must be a list of strings, not of {}", describe(node.type())));
    if (part->empty() || part->find(',') != std::string::npos) {
      return Error(Code::InvalidArgument, fmt::format("has the entry '{}': empty, or with a comma", *part));
    }
    parts.push_back(*part);
  }
  return fmt::format("{}", fmt::join(parts, ","));
}

Result<std::string> valueText(const toml::node& node, Kind kind) {
  if (kind == Kind::Boolean && node.is_boolean()) return std::string(node.as_boolean()->get() ? "true" : "false");
  if ((kind == Kind::Integer || kind == Kind::TextOrInteger) && node.is_integer()) {
    return fmt::format("{}", node.as_integer()->get());
  }
  if ((kind == Kind::Text || kind == Kind::Json || kind == Kind::TextOrInteger) && node.is_string())
    return node.as_string()->get();
  if (kind == Kind::List && node.is_array()) return listText(*node.as_array());
  return Error(Code::InvalidArgument, fmt::format("must be {}, not {}", describe(kind), describe(node.type())));
}

}  // namespace

Result<std::vector<FileSetting>> readToml(const std::string& path) {
  TRY(const std::string text, kernel::readFile(path, 1U << 20U));
  toml::table table;
  try {
    table = toml::parse(text, path);
  } catch (const toml::parse_error& error) {
    return Error(Code::InvalidArgument, fmt::format("{}:{}: {}", path, error.source().begin.line, error.description()));
  }
  std::vector<FileSetting> settings;
  for (const auto& [key, node] : table) {
    const std::string name(key.str());
    const std::string origin = fmt::format("{}:{}", path, key.source().begin.line);
    const Option* const option = findOption(name);
    if (option == nullptr) {
      const std::string_view nearest = nearestOption(name);
      return Error(Code::InvalidArgument,
                   fmt::format("{}: there is no setting '{}'{}", origin, name,
                               nearest.empty() ? "" : fmt::format("; did you mean '{}'?", nearest)));
    }
    if (!option->inFiles) {
      return Error(Code::InvalidArgument, fmt::format("{}: '{}' cannot be set in a file", origin, name));
    }
    auto value = valueText(node, option->kind);
    if (!value) return std::move(value).error().under(fmt::format("{}: {}", origin, name));
    settings.push_back({name, std::move(*value), origin});
  }
  return settings;
}

std::string tomlString(const std::string& text) {
  std::ostringstream quoted;
  quoted << toml::value<std::string>(text);
  return quoted.str();
}

}  // namespace gantry::agent
