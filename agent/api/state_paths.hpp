// Mesos' GET endpoints that say what runs here: /state, /containers, /containerizer/debug, /monitor/statistics and
// /metrics/snapshot.
#pragma once

#include "agent/api/api.hpp"
#include "http/router.hpp"

namespace gantry::agent::api {

// Only used on the agent's thread; outlives its routes.
class StatePaths {
 public:
  StatePaths(ContainerManager& containers, Settings settings)
      : containers_(containers), settings_(std::move(settings)) {}

  void addRoutes(http::Router& router);

 private:
  // ?framework_id= alone, with executor_id, or container_id alone.
  http::Response containers(const http::Request& request);
  http::Response debug(const http::Request& request) const;
  http::Response metrics(const http::Request& request) const;

  ContainerManager& containers_;
  Settings settings_;
};

}  // namespace gantry::agent::api
