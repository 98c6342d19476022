#include "agent/api/info_paths.hpp"

#include <nlohmann/json.hpp>

#include "agent/api/host_load.hpp"
#include "agent/api/reply.hpp"

namespace gantry::agent::api {
namespace {

std::string versionOf(const wire::BuildInfo& build) {
  nlohmann::json version = {{"version", build.version}, {"build_date", build.date}, {"build_time", build.time}};
  if (!build.user.empty()) version["build_user"] = build.user;
  return version.dump();
}

// Flags are whatever bytes the operator gave.
std::string flagsOf(const std::map<std::string, std::string>& flags) {
  return nlohmann::json{{"flags", flags}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string statsOf(const HostLoad& load) {
  return nlohmann::json{{"cpus_total", load.cpus},
                        {"avg_load_1min", load.oneMinute},
                        {"avg_load_5min", load.fiveMinutes},
                        {"avg_load_15min", load.fifteenMinutes},
                        {"mem_total_bytes", load.memoryTotal.count},
                        {"mem_free_bytes", load.memoryFree.count}}
      .dump();
}

}  // namespace

void InfoPaths::addRoutes(http::Router& router, std::function<bool()> isReady) {
  const auto get = [&router](const char* path, std::function<http::Response()> answer) {
    router.add("GET", path, [answer = std::move(answer)](http::RequestPtr, http::ResponderPtr responder) {
      return reply(std::move(responder), answer());
    });
  };
  const auto getJson = [&router](const char* path, std::function<std::string()> answer) {
    router.add("GET", path, [answer = std::move(answer)](http::RequestPtr request, http::ResponderPtr responder) {
      return reply(std::move(responder), jsonResponse(*request, answer()));
    });
  };
  get("/health", [] { return http::Response(200); });
  get("/healthz", [] { return http::textResponse(200, "ok"); });
  get("/readyz", [isReady = std::move(isReady)] {
    return isReady() ? http::textResponse(200, "ok") : http::textResponse(503, "Agent has not finished recovery");
  });
  getJson("/version", [this] { return versionOf(settings_.build); });
  getJson("/flags", [this] { return flagsOf(settings_.flags); });
  getJson("/system/stats.json", [] { return statsOf(HostLoad::measure()); });
  get("/metrics",
      [this] { return http::Response(200, "text/plain; version=0.0.4; charset=utf-8", settings_.metrics()); });
}

}  // namespace gantry::agent::api
