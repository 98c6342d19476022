// Settings whose value is JSON, in the shapes of mesos-agent's flags.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/config/values.hpp"

namespace gantry::agent {

// Any JSON object, on one line; "" when there is none.
struct JsonObject {
  std::string text;
  bool operator==(const JsonObject&) const = default;
};

// {"NAME": "value"}.
struct Variables {
  std::map<std::string, std::string> values;
  bool operator==(const Variables&) const = default;
};

// {"capabilities": ["NET_RAW"]} (Mesos' CapabilityInfo); here as "CAP_NET_RAW".
struct Capabilities {
  std::vector<std::string> names;
  bool operator==(const Capabilities&) const = default;
};

// {"disabled_endpoints": {"paths": ["/files/browse"]}}.
struct FirewallRules {
  std::vector<std::string> disabledPaths;
  bool operator==(const FirewallRules&) const = default;
};

// Of all of these "" is the empty value. An unknown key is refused.
Result<void> parseValue(std::string_view text, JsonObject& into);
Result<void> parseValue(std::string_view text, Variables& into);
Result<void> parseValue(std::string_view text, Capabilities& into);
Result<void> parseValue(std::string_view text, FirewallRules& into);

std::string formatValue(const JsonObject& value);
std::string formatValue(const Variables& value);
std::string formatValue(const Capabilities& value);
std::string formatValue(const FirewallRules& value);

inline Kind kindOf(const JsonObject&) {
  return Kind::Json;
}
inline Kind kindOf(const Variables&) {
  return Kind::Json;
}
inline Kind kindOf(const Capabilities&) {
  return Kind::Json;
}
inline Kind kindOf(const FirewallRules&) {
  return Kind::Json;
}

}  // namespace gantry::agent
