#include "agent/api/info_paths.hpp"

#include <nlohmann/json.hpp>

#include "agent/api/reply.hpp"

namespace gantry::agent::api {
namespace {

std::string versionOf(const wire::BuildInfo& build) {
  nlohmann::json version = {{"version", build.version}, {"build_date", build.date}, {"build_time", build.time}};
  if (!build.user.empty()) version["build_user"] = build.user;
  return version.dump();
}

}  // namespace

void InfoPaths::addRoutes(http::Router& router, std::function<bool()> isReady) {
  const auto get = [&router](const char* path, std::function<http::Response()> answer) {
    router.add("GET", path, [answer = std::move(answer)](http::RequestPtr, http::ResponderPtr responder) {
      return reply(std::move(responder), answer());
    });
  };
  get("/health", [] { return http::Response(200); });
  get("/healthz", [] { return http::textResponse(200, "ok"); });
  get("/readyz", [isReady = std::move(isReady)] {
    return isReady() ? http::textResponse(200, "ok") : http::textResponse(503, "Agent has not finished recovery");
  });
  get("/version", [this] { return jsonResponse(versionOf(settings_.build)); });
  get("/flags", [this] { return jsonResponse(nlohmann::json{{"flags", settings_.flags}}.dump()); });
  get("/metrics",
      [this] { return http::Response(200, "text/plain; version=0.0.4; charset=utf-8", settings_.metrics()); });
}

}  // namespace gantry::agent::api
