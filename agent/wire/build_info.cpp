#include "agent/wire/build_info.hpp"

#include <ctime>

namespace gantry::agent::wire {
namespace {

std::string dateOf(std::time_t time) {
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  char text[32] = "";
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
  return text;
}

}  // namespace

BuildInfo BuildInfo::own() {
  return {.version = GANTRY_VERSION,
          .date = dateOf(GANTRY_BUILD_TIME),
          .time = GANTRY_BUILD_TIME,
          .user = GANTRY_BUILD_USER};
}

}  // namespace gantry::agent::wire
