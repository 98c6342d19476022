// What this agent is, as /version and GET_VERSION tell it.
#pragma once

#include <cstdint>
#include <string>

namespace gantry::agent::wire {

struct BuildInfo {
  std::string version;
  std::string date;  // of `time`, "2026-01-31 12:00:00", UTC
  // When the build was configured, in seconds since 1970; SOURCE_DATE_EPOCH where that was set.
  std::int64_t time = 0;
  std::string user;  // the CMake variable GANTRY_BUILD_USER; empty: nobody says

  // Of this program.
  static BuildInfo own();
};

}  // namespace gantry::agent::wire
