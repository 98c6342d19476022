#include "agent/api/api.hpp"

#include <array>
#include <string_view>

#include "agent/api/container_paths.hpp"
#include "agent/api/image_paths.hpp"
#include "agent/api/info_paths.hpp"
#include "agent/api/logs.hpp"
#include "agent/api/operator_calls.hpp"
#include "agent/api/streams.hpp"

namespace gantry::agent::api {

struct Api::Parts {
  Parts(const async::Executor& executor, ContainerManager& containers, ImageStore& images, Settings settings)
      : info(settings),
        streams(executor, containers, settings.heartbeat),
        calls(containers, streams, std::move(settings)),
        containerPaths(containers, streams),
        logs(executor, containers),
        imagePaths(executor, images) {}

  InfoPaths info;
  Streams streams;
  OperatorCalls calls;
  ContainerPaths containerPaths;
  Logs logs;
  ImagePaths imagePaths;
  bool recovering = true;
};

Api::Api(async::Executor executor, ContainerManager& containers, ImageStore& images, Settings settings)
    : parts_(std::make_unique<Parts>(executor, containers, images, std::move(settings))) {}

Api::~Api() = default;

void Api::addRoutes(http::Router& router) {
  router.optionalPrefix("/slave(1)");
  parts_->info.addRoutes(router, [this] { return !parts_->recovering; });
  parts_->calls.addRoutes(router);
  parts_->containerPaths.addRoutes(router);
  parts_->logs.addRoutes(router);
  parts_->imagePaths.addRoutes(router);
}

void Api::recovered() {
  parts_->recovering = false;
}

std::optional<http::Response> Api::gate(const http::Request& request) const {
  if (!parts_->recovering) return std::nullopt;
  constexpr std::string_view kPrefix = "/slave(1)";
  std::string_view path = request.path;
  if (path.starts_with(kPrefix)) path.remove_prefix(kPrefix.size());
  constexpr std::array<std::string_view, 6> kAlways = {"/health",  "/healthz", "/readyz",
                                                       "/version", "/flags",   "/metrics"};
  for (const std::string_view open : kAlways) {
    if (path == open) return std::nullopt;
  }
  return http::textResponse(503, "Agent has not finished recovery");
}

}  // namespace gantry::agent::api
