// The GET endpoints that say what this agent is and how it does.
#pragma once

#include <functional>

#include "agent/api/api.hpp"
#include "http/router.hpp"

namespace gantry::agent::api {

// Only used on the agent's thread; outlives its routes.
class InfoPaths {
 public:
  explicit InfoPaths(Settings settings) : settings_(std::move(settings)) {}

  void addRoutes(http::Router& router, std::function<bool()> isReady);

 private:
  Settings settings_;
};

}  // namespace gantry::agent::api
