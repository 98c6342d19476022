// A number of bytes that cannot be mixed up with another number.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace gantry {

struct Bytes {
  std::uint64_t count = 0;

  static constexpr Bytes kibi(std::uint64_t n) { return {n << 10}; }
  static constexpr Bytes mebi(std::uint64_t n) { return {n << 20}; }
  static constexpr Bytes gibi(std::uint64_t n) { return {n << 30}; }

  auto operator<=>(const Bytes&) const = default;
};

// A decimal count with an optional unit: B, K/KB/KiB, M…, G…, T…, all of them powers of 1024, in either case, as
// mesos-agent ("10MB") and docker ("512m") users write them. A fraction is allowed before a unit ("1.5g").
// Fails with InvalidArgument for anything else, and for what does not fit 63 bits.
Result<Bytes> parseBytes(std::string_view text);

// The largest unit with at most one decimal: "1.5GiB", "0B".
std::string toString(Bytes bytes);

}  // namespace gantry
