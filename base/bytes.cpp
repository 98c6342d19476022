#include "base/bytes.hpp"

#include <array>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

namespace gantry {

Result<Bytes> parseBytes(std::string_view text) {
  const auto invalid = [text] {
    return Error(Code::InvalidArgument, fmt::format("'{}' is not a size such as 512, 10MB or 1.5GiB", text));
  };
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, status] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (status != std::errc() || !std::isfinite(number) || number < 0 || text.starts_with('-')) return invalid();

  std::string unit(rest, end);
  for (char& c : unit) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  int shift = 0;
  if (!unit.empty() && unit != "b") {
    const auto position = std::string_view("kmgtp").find(unit[0]);
    if (position == std::string_view::npos) return invalid();
    const std::string_view suffix = std::string_view(unit).substr(1);
    if (!suffix.empty() && suffix != "b" && suffix != "ib") return invalid();
    shift = 10 * (static_cast<int>(position) + 1);
  }
  if (shift == 0) {
    std::uint64_t whole = 0;
    const auto [after, outcome] = std::from_chars(text.data(), end, whole);
    if (outcome != std::errc() || after != rest || whole > INT64_MAX) return invalid();
    return Bytes{whole};
  }
  const double scaled = std::ldexp(number, shift);
  if (scaled >= std::ldexp(1.0, 63)) return invalid();
  return Bytes{static_cast<std::uint64_t>(scaled)};
}

std::string toString(Bytes bytes) {
  constexpr std::array kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes.count);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  const double rounded = std::round(value * 10) / 10;
  if (rounded == std::floor(rounded)) return fmt::format("{:.0f}{}", rounded, kUnits[unit]);
  return fmt::format("{:.1f}{}", rounded, kUnits[unit]);
}

}  // namespace gantry
