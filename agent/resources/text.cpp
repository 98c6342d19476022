#include <algorithm>

#include <fmt/format.h>

#include "agent/resources/resources.hpp"

namespace gantry::agent::resources {
namespace {

constexpr std::string_view kSpace = " \t\n";

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// The entries between the semicolons (or lines), without empty ones.
std::vector<std::string_view> entries(std::string_view text) {
  std::vector<std::string_view> result;
  while (!text.empty()) {
    const auto end = text.find_first_of(";\n");
    const std::string_view entry = trimmed(text.substr(0, end));
    if (!entry.empty()) result.push_back(entry);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return result;
}

Error bad(std::string_view entry, std::string_view reason) {
  return {Code::InvalidArgument, fmt::format("'{}': {}", entry, reason)};
}

Result<Value> amountFrom(std::string_view text) {
  TRY(AttributeValue value, parseValue(text));
  if (auto* scalar = std::get_if<Scalar>(&value)) return Value(*scalar);
  if (auto* ranges = std::get_if<Ranges>(&value)) return Value(std::move(*ranges));
  if (auto* set = std::get_if<Set>(&value)) return Value(std::move(*set));
  return Error(Code::InvalidArgument, "is no number, no '[ranges]' and no '{set}'");
}

Result<NamedValue> resourceFrom(std::string_view entry) {
  const auto colon = entry.find(':');
  if (colon == std::string_view::npos) return bad(entry, "has no ':' between name and value");
  NamedValue named;
  std::string_view name = trimmed(entry.substr(0, colon));
  if (const auto open = name.find('('); open != std::string_view::npos) {
    if (!name.ends_with(')')) return bad(entry, "the role's bracket is not closed");
    named.role = trimmed(name.substr(open + 1, name.size() - open - 2));
    if (auto valid = checkRole(named.role, "the role"); !valid) return bad(entry, valid.error().message());
    name = trimmed(name.substr(0, open));
  }
  if (name.empty()) return bad(entry, "has no name");
  named.name = name;
  auto value = amountFrom(entry.substr(colon + 1));
  if (!value) return bad(entry, "the value " + value.error().message());
  named.value = *std::move(value);
  return named;
}

}  // namespace

Result<std::vector<NamedValue>> parseResources(std::string_view text) {
  std::vector<NamedValue> result;
  for (const std::string_view entry : entries(text)) {
    TRY(NamedValue named, resourceFrom(entry));
    const auto otherKind = std::ranges::find_if(result, [&named](const NamedValue& other) {
      return other.name == named.name && other.value.index() != named.value.index();
    });
    if (otherKind != result.end()) return bad(entry, "is of another type than the '" + named.name + "' before it");
    result.push_back(std::move(named));
  }
  return result;
}

Result<std::vector<Attribute>> parseAttributes(std::string_view text) {
  std::vector<Attribute> result;
  for (const std::string_view entry : entries(text)) {
    const auto colon = entry.find(':');
    if (colon == std::string_view::npos) return bad(entry, "has no ':' between name and value");
    const std::string_view name = trimmed(entry.substr(0, colon));
    if (name.empty()) return bad(entry, "has no name");
    auto value = parseValue(entry.substr(colon + 1));
    if (!value) return bad(entry, "the value " + value.error().message());
    if (std::holds_alternative<Set>(*value)) return bad(entry, "an attribute cannot be a set");
    result.push_back({std::string(name), *std::move(value)});
  }
  return result;
}

Result<void> checkRole(std::string_view role, std::string_view field) {
  if (role.empty()) return Error::invalid(field, "must not be empty");
  if (role == "*") return {};
  const auto forbidden = [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\\' || c == 0x7f; };
  if (std::ranges::any_of(role, forbidden)) return Error::invalid(field, "contains white space or a backslash");
  for (std::string_view rest = role;;) {
    const auto slash = rest.find('/');
    const std::string_view component = rest.substr(0, slash);
    if (component.empty()) return Error::invalid(field, "has an empty component");
    if (component == "." || component == ".." || component == "*") {
      return Error::invalid(field, fmt::format("must not have the component '{}'", component));
    }
    if (component.starts_with('-')) return Error::invalid(field, "has a component that begins with '-'");
    if (slash == std::string_view::npos) return {};
    rest.remove_prefix(slash + 1);
  }
}

}  // namespace gantry::agent::resources
