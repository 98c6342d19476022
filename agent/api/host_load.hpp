// How busy this host is, for /system/stats.json and the metrics "system/…".
#pragma once

#include <cstdint>

#include "base/bytes.hpp"

namespace gantry::agent::api {

// sysinfo(2).
struct HostLoad {
  std::uint64_t cpus = 0;  // online
  double oneMinute = 0;
  double fiveMinutes = 0;
  double fifteenMinutes = 0;
  Bytes memoryTotal;
  Bytes memoryFree;

  static HostLoad measure();
};

}  // namespace gantry::agent::api
