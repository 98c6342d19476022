// Our own paths for containers: /gantry/v1/containers….
#pragma once

#include "agent/api/streams.hpp"
#include "agent/containers/manager.hpp"
#include "http/router.hpp"

namespace gantry::agent::api {

// Only used on the agent's thread; outlives its routes.
class ContainerPaths {
 public:
  ContainerPaths(ContainerManager& containers, Streams& streams) : containers_(containers), streams_(streams) {}

  void addRoutes(http::Router& router);

 private:
  async::Task<> list(http::RequestPtr request, http::ResponderPtr responder);
  async::Task<> launch(http::RequestPtr request, http::ResponderPtr responder);
  async::Task<> inspect(http::RequestPtr request, http::ResponderPtr responder);
  async::Task<> remove(http::RequestPtr request, http::ResponderPtr responder);
  async::Task<> session(http::RequestPtr request, http::ResponderPtr responder);
  // With `force` one that runs is killed first.
  async::Task<Result<void>> removeContainer(ContainerId id, bool force);

  ContainerManager& containers_;
  Streams& streams_;
};

}  // namespace gantry::agent::api
