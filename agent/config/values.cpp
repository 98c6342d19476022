#include "agent/config/values.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace gantry::agent {
namespace {

Error reason(std::string text) {
  return Error(Code::InvalidArgument, std::move(text));
}

Result<std::uint64_t> parseNumber(std::string_view text, std::uint64_t least, std::uint64_t most) {
  std::uint64_t number = 0;
  const auto [stop, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || stop != text.data() + text.size() || number < least || number > most) {
    return reason(fmt::format("must be a whole number from {} to {}, not '{}'", least, most, text));
  }
  return number;
}

struct Unit {
  std::string_view name;
  std::int64_t nanoseconds;
};
constexpr std::int64_t kSecond = 1'000'000'000;
// Largest first.
constexpr std::array kDurationUnits = std::to_array<Unit>({{"weeks", 7 * 24 * 3600 * kSecond},
                                                           {"days", 24 * 3600 * kSecond},
                                                           {"hrs", 3600 * kSecond},
                                                           {"mins", 60 * kSecond},
                                                           {"secs", kSecond},
                                                           {"ms", 1'000'000},
                                                           {"us", 1'000},
                                                           {"ns", 1}});

struct LevelName {
  std::string_view name;
  log::Level level;
};
constexpr std::array kLevels = std::to_array<LevelName>({{"DEBUG", log::Level::Debug},
                                                         {"INFO", log::Level::Info},
                                                         {"WARNING", log::Level::Warning},
                                                         {"ERROR", log::Level::Error}});

constexpr std::array kRecoveries = std::to_array<std::pair<std::string_view, Recover>>(
    {{"reconnect", Recover::Reconnect}, {"cleanup", Recover::Cleanup}});
constexpr std::array kPolicies = std::to_array<std::pair<std::string_view, ReconfigurationPolicy>>(
    {{"equal", ReconfigurationPolicy::Equal}, {"additive", ReconfigurationPolicy::Additive}});

// One of the two words of `names`.
template <typename T>
Result<void> parseWord(std::string_view text, const std::array<std::pair<std::string_view, T>, 2>& names, T& into) {
  for (const auto& [name, value] : names) {
    if (name != text) continue;
    into = value;
    return {};
  }
  return reason(fmt::format("must be {} or {}, not '{}'", names[0].first, names[1].first, text));
}

bool sameWord(std::string_view left, std::string_view right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(), [](char a, char b) {
    return std::toupper(static_cast<unsigned char>(a)) == std::toupper(static_cast<unsigned char>(b));
  });
}

std::vector<std::string_view> nonEmptyParts(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find(separator));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    if (!part.empty()) parts.push_back(part);
  }
  return parts;
}

}  // namespace

Result<void> parseValue(std::string_view text, std::string& into) {
  into = text;
  return {};
}

Result<void> parseValue(std::string_view text, bool& into) {
  if (text != "true" && text != "1" && text != "false" && text != "0") {
    return reason(fmt::format("must be true or false, not '{}'", text));
  }
  into = text == "true" || text == "1";
  return {};
}

Result<void> parseValue(std::string_view text, Path& into) {
  if (!text.starts_with('/')) return reason(fmt::format("must be an absolute path, not '{}'", text));
  if (text.find('\0') != std::string_view::npos) return reason("must be a path without NUL characters");
  while (text.size() > 1 && text.ends_with('/')) text.remove_suffix(1);
  into.text = text;
  return {};
}

Result<void> parseValue(std::string_view text, Port& into) {
  TRY(const std::uint64_t number, parseNumber(text, 0, 65535));
  into.number = static_cast<std::uint16_t>(number);
  return {};
}

Result<void> parseValue(std::string_view text, IpAddress& into) {
  into.text = text;
  in6_addr address;
  if (::inet_pton(AF_INET, into.text.c_str(), &address) != 1 &&
      ::inet_pton(AF_INET6, into.text.c_str(), &address) != 1) {
    return reason(fmt::format("must be an IP address, not '{}'", text));
  }
  return {};
}

Result<void> parseValue(std::string_view text, Subnet& into) {
  const std::size_t slash = text.find('/');
  const auto bits = slash == std::string_view::npos ? Result<std::uint64_t>(reason("no prefix length"))
                                                    : parseNumber(text.substr(slash + 1), 8, 29);
  in_addr address;
  if (!bits || ::inet_pton(AF_INET, std::string(text.substr(0, slash)).c_str(), &address) != 1) {
    return reason(
        fmt::format("must be an IPv4 network with a prefix of 8 to 29 bits, as 10.213.0.0/20, not '{}'", text));
  }
  const std::uint32_t hostBits = (std::uint32_t{1} << (32 - *bits)) - 1;
  if ((ntohl(address.s_addr) & hostBits) != 0) {
    return reason(fmt::format("must be a network, but '{}' has bits set behind its prefix", text));
  }
  into.text = text;
  return {};
}

Result<void> parseValue(std::string_view text, Count& into) {
  TRY(into.number, parseNumber(text, 1, INT64_MAX));
  return {};
}

Result<void> parseValue(std::string_view text, Bytes& into) {
  auto bytes = parseBytes(text);
  if (!bytes) return reason(fmt::format("must be a number of bytes with a unit, as 10MB, not '{}'", text));
  into = *bytes;
  return {};
}

Result<void> parseValue(std::string_view text, async::Duration& into) {
  double number = 0;
  const auto [stop, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view name(stop, static_cast<std::size_t>(text.data() + text.size() - stop));
  const auto* const unit = std::ranges::find(kDurationUnits, name, &Unit::name);
  const double nanoseconds = unit == kDurationUnits.end() ? -1 : number * static_cast<double>(unit->nanoseconds);
  if (failure != std::errc() || !(nanoseconds >= 0 && nanoseconds < 9.2e18)) {
    return reason(
        fmt::format("must be a duration, as 5secs (ns, us, ms, secs, mins, hrs, days, weeks), not '{}'", text));
  }
  into = async::Duration(static_cast<std::int64_t>(std::llround(nanoseconds)));
  return {};
}

Result<void> parseValue(std::string_view text, log::Level& into) {
  for (const LevelName& level : kLevels) {
    if (!sameWord(level.name, text)) continue;
    into = level.level;
    return {};
  }
  return reason(fmt::format("must be DEBUG, INFO, WARNING or ERROR, not '{}'", text));
}

Result<void> parseValue(std::string_view text, Recover& into) {
  return parseWord(text, kRecoveries, into);
}

Result<void> parseValue(std::string_view text, ReconfigurationPolicy& into) {
  return parseWord(text, kPolicies, into);
}

Result<void> parseValue(std::string_view text, std::vector<std::string>& into) {
  into.clear();
  for (const std::string_view part : nonEmptyParts(text, ',')) into.emplace_back(part);
  return {};
}

Result<void> parseValue(std::string_view text, std::vector<Path>& into) {
  into.clear();
  for (const std::string_view part : nonEmptyParts(text, ':')) TRY_VOID(parseValue(part, into.emplace_back()));
  return {};
}

std::string formatValue(const std::string& value) {
  return value;
}

std::string formatValue(bool value) {
  return value ? "true" : "false";
}

std::string formatValue(const Path& value) {
  return value.text;
}

std::string formatValue(Port value) {
  return fmt::format("{}", value.number);
}

std::string formatValue(const IpAddress& value) {
  return value.text;
}

std::string formatValue(const Subnet& value) {
  return value.text;
}

std::string formatValue(Count value) {
  return fmt::format("{}", value.number);
}

std::string formatValue(Bytes value) {
  static constexpr std::array<std::string_view, 5> kUnits{"B", "KB", "MB", "GB", "TB"};
  std::size_t unit = 0;
  std::uint64_t count = value.count;
  while (unit + 1 < kUnits.size() && count != 0 && count % 1024 == 0) {
    count /= 1024;
    ++unit;
  }
  return fmt::format("{}{}", count, kUnits[unit]);
}

std::string formatValue(async::Duration value) {
  for (const Unit& unit : kDurationUnits) {
    if (value.count() != 0 && value.count() % unit.nanoseconds == 0) {
      return fmt::format("{}{}", value.count() / unit.nanoseconds, unit.name);
    }
  }
  return "0ns";
}

std::string formatValue(log::Level value) {
  return std::string(std::ranges::find(kLevels, value, &LevelName::level)->name);
}

std::string formatValue(Recover value) {
  return std::string(kRecoveries[value == Recover::Reconnect ? 0 : 1].first);
}

std::string formatValue(ReconfigurationPolicy value) {
  return std::string(kPolicies[value == ReconfigurationPolicy::Equal ? 0 : 1].first);
}

std::string formatValue(const std::vector<Path>& value) {
  std::string text;
  for (const Path& path : value) text += (text.empty() ? "" : ":") + path.text;
  return text;
}

std::string formatValue(const std::vector<std::string>& value) {
  return fmt::format("{}", fmt::join(value, ","));
}

}  // namespace gantry::agent
