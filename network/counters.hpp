// Interface counters, as /proc/net/dev has them.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.hpp"

namespace gantry::network {

// Summed over all interfaces but loopback, as the container sees them.
struct Counters {
  std::uint64_t receivedBytes = 0;
  std::uint64_t receivedPackets = 0;
  std::uint64_t receivedErrors = 0;
  std::uint64_t receivedDropped = 0;
  std::uint64_t sentBytes = 0;
  std::uint64_t sentPackets = 0;
  std::uint64_t sentErrors = 0;
  std::uint64_t sentDropped = 0;

  bool operator==(const Counters&) const = default;
};

// The text of /proc/net/dev; InvalidArgument when a line is not as proc(5) says.
Result<Counters> parseCounters(std::string_view text);

}  // namespace gantry::network
