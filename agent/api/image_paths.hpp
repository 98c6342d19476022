// Our own paths for images: GET /gantry/v1/images, POST /gantry/v1/images/pull.
#pragma once

#include "agent/images/store.hpp"
#include "async/channel.hpp"
#include "http/router.hpp"

namespace gantry::agent::api {

// Only used on the agent's thread; outlives its routes.
class ImagePaths {
 public:
  ImagePaths(async::Executor executor, ImageStore& images) : executor_(std::move(executor)), images_(images) {}

  void addRoutes(http::Router& router);

 private:
  using Records = async::Channel<std::string>;

  async::Task<> list(http::RequestPtr request, http::ResponderPtr responder);
  // {"reference": text, "cached": false}: a stream of {"progress"}…, then one {"image"} or {"error"}. With "cached"
  // an image that is here is good enough.
  async::Task<> pull(http::RequestPtr request, http::ResponderPtr responder);
  async::Task<> get(std::string reference, bool cached, Records records);

  async::Executor executor_;
  ImageStore& images_;
};

}  // namespace gantry::agent::api
