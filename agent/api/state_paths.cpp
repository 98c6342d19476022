#include "agent/api/state_paths.hpp"

#include <nlohmann/json.hpp>

#include "agent/api/executors.hpp"
#include "agent/api/mesos_metrics.hpp"
#include "agent/api/reply.hpp"
#include "agent/api/state_json.hpp"
#include "agent/config/values.hpp"

namespace gantry::agent::api {
namespace {

std::optional<std::string> parameter(const http::Request& request, const std::string& name) {
  const auto found = request.query.find(name);
  if (found == request.query.end()) return std::nullopt;
  return found->second;
}

bool isOnItsWay(Phase phase) {
  return phase != Phase::Running && phase != Phase::Exited;
}

}  // namespace

void StatePaths::addRoutes(http::Router& router) {
  const auto get = [&router](const char* path, std::function<http::Response(const http::Request&)> answer) {
    router.add("GET", path, [answer = std::move(answer)](http::RequestPtr request, http::ResponderPtr responder) {
      return reply(std::move(responder), answer(*request));
    });
  };
  get("/state", [this](const http::Request& request) { return jsonResponse(request, stateJson(settings_)); });
  get("/containers", [this](const http::Request& request) { return containers(request); });
  get("/containerizer/debug", [this](const http::Request& request) { return debug(request); });
  get("/monitor/statistics", [this](const http::Request& request) {
    return jsonResponse(request, monitorJson(viewExecutors(settings_.tasks(), containers_)));
  });
  get("/metrics/snapshot", [this](const http::Request& request) { return metrics(request); });
}

http::Response StatePaths::containers(const http::Request& request) {
  const auto framework = parameter(request, "framework_id");
  const auto executor = parameter(request, "executor_id");
  const auto container = parameter(request, "container_id");
  if ((container && (framework || executor)) || (executor && !framework)) {
    return http::textResponse(400, "give container_id alone, framework_id alone, or executor_id with framework_id");
  }
  std::vector<ExecutorView> executors = viewExecutors(settings_.tasks(), containers_);
  std::erase_if(executors, [&](const ExecutorView& view) {
    return (framework && view.framework != *framework) || (executor && view.id != *executor) ||
           (container && view.status.container->id().text() != *container);
  });
  return jsonResponse(request, containersJson(executors));
}

http::Response StatePaths::debug(const http::Request& request) const {
  nlohmann::json pending = nlohmann::json::array();
  for (const ContainerStatus& status : containers_.list()) {
    if (!isOnItsWay(status.phase)) continue;
    pending.push_back(
        {{"operation", toString(status.phase)}, {"args", {{"containerId", status.container->id().text()}}}});
  }
  return jsonResponse(request, nlohmann::json{{"pending", std::move(pending)}}.dump());
}

http::Response StatePaths::metrics(const http::Request& request) const {
  // Ours are there at once; only a bad value is of interest.
  if (const auto timeout = parameter(request, "timeout")) {
    async::Duration duration{};
    const auto parsed = parseValue(*timeout, duration).under("timeout");
    if (!parsed) return http::errorResponse(parsed.error());
  }
  auto values = mesosMetrics(settings_.facts(), settings_.tasks(), settings_.taskCounters(), HostLoad::measure());
  values.merge(settings_.moreMetrics());
  return jsonResponse(request, nlohmann::json(values).dump());
}

}  // namespace gantry::agent::api
