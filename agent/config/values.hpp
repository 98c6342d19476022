// What a setting's value may be, and how it is written in flags, environment and files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/time.hpp"
#include "base/bytes.hpp"
#include "base/log.hpp"
#include "base/result.hpp"

namespace gantry::agent {

// Absolute, without a slash at its end.
struct Path {
  std::string text;
  bool operator==(const Path&) const = default;
};

// 1 to 65535, or 0 for any free one.
struct Port {
  std::uint16_t number = 0;
  bool operator==(const Port&) const = default;
};

// A literal IPv4 or IPv6 address.
struct IpAddress {
  std::string text;
  bool operator==(const IpAddress&) const = default;
};

// An IPv4 network with room for at least one container: "10.213.0.0/20".
struct Subnet {
  std::string text;
  bool operator==(const Subnet&) const = default;
};

// At least 1.
struct Count {
  std::uint64_t number = 1;
  bool operator==(const Count&) const = default;
};

// What becomes of an earlier agent's containers (Mesos' --recover).
enum class Recover { Reconnect, Cleanup };
// How far this host may differ from what the master was told of it (reference: master-agent, 8.5).
enum class ReconfigurationPolicy { Equal, Additive };

// How a value looks: in TOML, and, for Json, that "/path" may stand for the content of a file.
enum class Kind { Text, Integer, TextOrInteger, Boolean, List, Json };

// One overload for each type; the error is the reason alone ("must be …"), the caller adds the name of the setting.
Result<void> parseValue(std::string_view text, std::string& into);
Result<void> parseValue(std::string_view text, bool& into);
Result<void> parseValue(std::string_view text, Path& into);
Result<void> parseValue(std::string_view text, Port& into);
Result<void> parseValue(std::string_view text, IpAddress& into);
Result<void> parseValue(std::string_view text, Subnet& into);
Result<void> parseValue(std::string_view text, Count& into);
// "10MB", as mesos-agent writes it; see base/bytes.hpp.
Result<void> parseValue(std::string_view text, Bytes& into);
// A number and a unit out of ns, us, ms, secs, mins, hrs, days, weeks: "1.5mins".
Result<void> parseValue(std::string_view text, async::Duration& into);
Result<void> parseValue(std::string_view text, log::Level& into);
Result<void> parseValue(std::string_view text, Recover& into);
Result<void> parseValue(std::string_view text, ReconfigurationPolicy& into);
// Separated by commas; empty parts are dropped.
Result<void> parseValue(std::string_view text, std::vector<std::string>& into);
// Separated by colons; empty parts are dropped.
Result<void> parseValue(std::string_view text, std::vector<Path>& into);
// An empty text is "unset".
template <typename T>
Result<void> parseValue(std::string_view text, std::optional<T>& into) {
  into.reset();
  if (text.empty()) return {};
  T value;
  TRY_VOID(parseValue(text, value));
  into = std::move(value);
  return {};
}

// What parseValue reads back as the same value.
std::string formatValue(const std::string& value);
std::string formatValue(bool value);
std::string formatValue(const Path& value);
std::string formatValue(Port value);
std::string formatValue(const IpAddress& value);
std::string formatValue(const Subnet& value);
std::string formatValue(Count value);
std::string formatValue(Bytes value);
std::string formatValue(async::Duration value);
std::string formatValue(log::Level value);
std::string formatValue(Recover value);
std::string formatValue(ReconfigurationPolicy value);
std::string formatValue(const std::vector<std::string>& value);
std::string formatValue(const std::vector<Path>& value);
template <typename T>
std::string formatValue(const std::optional<T>& value) {
  return value ? formatValue(*value) : std::string();
}

inline Kind kindOf(const std::string&) {
  return Kind::Text;
}
inline Kind kindOf(const Path&) {
  return Kind::Text;
}
inline Kind kindOf(const IpAddress&) {
  return Kind::Text;
}
inline Kind kindOf(const Subnet&) {
  return Kind::Text;
}
inline Kind kindOf(const async::Duration&) {
  return Kind::Text;
}
inline Kind kindOf(const log::Level&) {
  return Kind::Text;
}
inline Kind kindOf(const Recover&) {
  return Kind::Text;
}
inline Kind kindOf(const ReconfigurationPolicy&) {
  return Kind::Text;
}
inline Kind kindOf(const std::vector<Path>&) {
  return Kind::Text;
}
inline Kind kindOf(const Port&) {
  return Kind::Integer;
}
inline Kind kindOf(const Count&) {
  return Kind::Integer;
}
inline Kind kindOf(const Bytes&) {
  return Kind::TextOrInteger;
}
inline Kind kindOf(const bool&) {
  return Kind::Boolean;
}
inline Kind kindOf(const std::vector<std::string>&) {
  return Kind::List;
}
template <typename T>
Kind kindOf(const std::optional<T>&) {
  return kindOf(T());
}

}  // namespace gantry::agent
