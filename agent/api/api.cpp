#include "agent/api/api.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "agent/api/container_paths.hpp"
#include "agent/api/file_paths.hpp"
#include "agent/api/image_paths.hpp"
#include "agent/api/info_paths.hpp"
#include "agent/api/logging_level.hpp"
#include "agent/api/logs.hpp"
#include "agent/api/operator_calls.hpp"
#include "agent/api/state_paths.hpp"
#include "agent/api/streams.hpp"

namespace gantry::agent::api {

namespace {

constexpr std::string_view kPrefix = "/slave(1)";
constexpr std::string_view kSuffix = ".json";

// A request's path without what may be left out of it.
std::string_view plain(std::string_view path) {
  if (path.starts_with(kPrefix)) path.remove_prefix(kPrefix.size());
  if (path.ends_with(kSuffix)) path.remove_suffix(kSuffix.size());
  return path;
}

// What says how we are is answered while we recover, too.
bool isAlwaysOpen(std::string_view path) {
  constexpr std::array<std::string_view, 9> kOpen = {"/health",           "/healthz",        "/readyz",
                                                     "/version",          "/flags",          "/metrics",
                                                     "/metrics/snapshot", "/logging/toggle", "/system/stats"};
  return std::ranges::find(kOpen, path) != kOpen.end();
}

}  // namespace

struct Api::Parts {
  Parts(const async::Executor& executor, ContainerManager& containers, ImageStore& images, Settings settings)
      : info(settings),
        logging(executor),
        files(containers, settings),
        disabledPaths(settings.disabledPaths),
        streams(executor, containers, settings.heartbeat),
        state(containers, settings),
        calls(containers, streams, logging, std::move(settings)),
        containerPaths(containers, streams),
        logs(executor, containers),
        imagePaths(executor, images) {}

  InfoPaths info;
  LoggingLevel logging;
  FilePaths files;
  std::vector<std::string> disabledPaths;
  Streams streams;
  StatePaths state;
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
  router.optionalPrefix(kPrefix);
  router.optionalSuffix(std::string(kSuffix));
  parts_->info.addRoutes(router, [this] { return !parts_->recovering; });
  parts_->logging.addRoutes(router);
  parts_->files.addRoutes(router);
  parts_->state.addRoutes(router);
  parts_->calls.addRoutes(router);
  parts_->containerPaths.addRoutes(router);
  parts_->logs.addRoutes(router);
  parts_->imagePaths.addRoutes(router);
}

void Api::recovered() {
  parts_->recovering = false;
}

async::Task<> Api::close() {
  return parts_->logging.close();
}

std::optional<http::Response> Api::gate(const http::Request& request) const {
  const std::string_view path = plain(request.path);
  for (const std::string& disabled : parts_->disabledPaths) {
    if (plain(disabled) == path) return http::textResponse(403, "Endpoint '" + request.path + "' is disabled");
  }
  if (!parts_->recovering || isAlwaysOpen(path)) return std::nullopt;
  return http::textResponse(503, "Agent has not finished recovery");
}

}  // namespace gantry::agent::api
