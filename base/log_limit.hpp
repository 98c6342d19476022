// For log lines that somebody else can cause at will: one in a while, which says how many were left out before it.
//
//   if (const auto more = limit_.pass()) log::warning("dropped a message", {{"reason", reason}, {"more", *more}});
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <utility>

namespace gantry::log {

// Not for several threads at once.
class Limit {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Limit(Clock::duration interval = std::chrono::seconds(1)) : interval_(interval) {}

  // How many were left out since the last that was not; nothing when this one is to be left out.
  std::optional<std::size_t> pass(Clock::time_point now = Clock::now()) {
    if (last_ && now - *last_ < interval_) {
      ++left_;
      return std::nullopt;
    }
    last_ = now;
    return std::exchange(left_, 0);
  }

 private:
  Clock::duration interval_;
  std::optional<Clock::time_point> last_;
  std::size_t left_ = 0;
};

}  // namespace gantry::log
