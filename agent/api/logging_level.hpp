// Raising the log level for a while: GET /logging/toggle, GET_LOGGING_LEVEL and SET_LOGGING_LEVEL.
//
// Levels are Mesos': 0 is what is configured, anything above logs everything.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "async/scope.hpp"
#include "base/log.hpp"
#include "http/router.hpp"

namespace gantry::agent::api {

// Only used on the agent's thread. Await close() before it is destroyed.
class LoggingLevel {
 public:
  explicit LoggingLevel(const async::Executor& executor) : reverting_(executor) {}

  std::uint32_t level() const { return raised_; }
  // For `duration`, after which the level is 0 again; a later call counts instead of an earlier one.
  void raise(std::uint32_t level, async::Duration duration);

  // /logging/toggle: without a query the level, with level=N&duration=5mins raise().
  void addRoutes(http::Router& router);

  async::Task<> close();

 private:
  async::Task<> revertInTime();

  std::uint32_t raised_ = 0;
  // What to go back to; set while a level above 0 is in force.
  std::optional<log::Level> configured_;
  std::chrono::steady_clock::time_point until_;
  async::Scope reverting_;
};

}  // namespace gantry::agent::api
