#include "agent/api/logging_level.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "agent/api/reply.hpp"
#include "agent/config/values.hpp"

namespace gantry::agent::api {
namespace {

using namespace std::chrono_literals;

// So far after its time a level may still be in force.
constexpr async::Duration kLook = 1s;

Result<std::uint32_t> levelFrom(const std::string& text) {
  std::uint32_t level = 0;
  const auto [stop, failure] = std::from_chars(text.data(), text.data() + text.size(), level);
  if (failure == std::errc() && stop == text.data() + text.size()) return level;
  return Error::invalid("level", fmt::format("must be a whole number, not '{}'", text));
}

http::Response toggle(LoggingLevel& logging, const http::Request& request) {
  const auto level = request.query.find("level");
  const auto duration = request.query.find("duration");
  if (level == request.query.end() && duration == request.query.end()) {
    return http::textResponse(200, fmt::format("{}\n", logging.level()));
  }
  if (level == request.query.end()) return http::textResponse(400, "level: is required beside 'duration'");
  if (duration == request.query.end()) return http::textResponse(400, "duration: is required beside 'level'");
  const auto wanted = levelFrom(level->second);
  if (!wanted) return http::errorResponse(wanted.error());
  async::Duration span{};
  const auto parsed = parseValue(duration->second, span).under("duration");
  if (!parsed) return http::errorResponse(parsed.error());
  logging.raise(*wanted, span);
  return http::Response(200);
}

}  // namespace

void LoggingLevel::raise(std::uint32_t level, async::Duration duration) {
  const bool isWaiting = configured_.has_value();
  if (!isWaiting) configured_ = log::level();
  raised_ = level;
  until_ = std::chrono::steady_clock::now() + duration;
  log::setLevel(level > 0 ? log::Level::Debug : *configured_);
  if (!isWaiting) reverting_.spawn(revertInTime());
}

void LoggingLevel::addRoutes(http::Router& router) {
  router.add("GET", "/logging/toggle", [this](http::RequestPtr request, http::ResponderPtr responder) {
    return reply(std::move(responder), toggle(*this, *request));
  });
}

async::Task<> LoggingLevel::revertInTime() {
  while (std::chrono::steady_clock::now() < until_) {
    const async::Duration left = until_ - std::chrono::steady_clock::now();
    const auto slept = co_await async::sleep(std::min(left, kLook));
    if (!slept) break;
  }
  log::setLevel(*configured_);
  configured_.reset();
  raised_ = 0;
}

async::Task<> LoggingLevel::close() {
  reverting_.cancel();
  co_await reverting_.join();
}

}  // namespace gantry::agent::api
