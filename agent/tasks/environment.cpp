#include "agent/tasks/environment.hpp"

#include <array>
#include <utility>

#include <fmt/format.h>

namespace gantry::agent::tasks {
namespace {

using namespace std::chrono_literals;

// Each name is for durations below its bound.
struct Unit {
  Duration bound;
  Duration one;
  const char* name;
};
constexpr std::array kUnits = std::to_array<Unit>({
    {1us, 1ns, "ns"},
    {1ms, 1us, "us"},
    {1s, 1ms, "ms"},
    {1min, 1s, "secs"},
    {1h, 1min, "mins"},
    {24h, 1h, "hrs"},
    {24h * 7, 24h, "days"},
    {Duration::max(), 24h * 7, "weeks"},
});

bool isOnHostNetwork(const isolators::ContainerRequest& request) {
  return request.networks.empty() || request.networks.front().name == "host";
}

}  // namespace

std::string mesosDuration(Duration duration) {
  const Duration size = duration < Duration(0) ? -duration : duration;
  for (const Unit& unit : kUnits) {
    if (size >= unit.bound) continue;
    return fmt::format("{}{}", static_cast<double>(duration.count()) / static_cast<double>(unit.one.count()),
                       unit.name);
  }
  return fmt::format("{}ns", duration.count());
}

std::map<std::string, std::string> taskEnvironment(const TaskSettings& settings, const std::string& agentId,
                                                   const Framework& framework, const TaskRequest& request,
                                                   const std::string& sandbox) {
  std::map<std::string, std::string> environment = settings.environment;
  const std::string endpoint = fmt::format("{}:{}", settings.ip, settings.port);
  environment["MESOS_FRAMEWORK_ID"] = framework.id;
  environment["MESOS_EXECUTOR_ID"] = request.executor;
  environment["MESOS_TASK_ID"] = request.id;
  environment["MESOS_DIRECTORY"] = sandbox;
  environment["MESOS_SLAVE_ID"] = agentId;
  environment["MESOS_SLAVE_PID"] = "slave(1)@" + endpoint;
  environment["MESOS_AGENT_ENDPOINT"] = endpoint;
  environment["MESOS_CHECKPOINT"] = framework.checkpoint ? "1" : "0";
  environment["MESOS_HTTP_COMMAND_EXECUTOR"] = "0";
  environment["MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD"] = mesosDuration(settings.shutdownGrace);
  environment["MESOS_ALLOCATION_ROLE"] = request.role;
  environment["LIBPROCESS_PORT"] = "0";
  if (isOnHostNetwork(request.container)) environment["LIBPROCESS_IP"] = settings.ip;
  if (framework.checkpoint) {
    environment["MESOS_RECOVERY_TIMEOUT"] = mesosDuration(settings.recoveryTimeout);
    environment["MESOS_SUBSCRIPTION_BACKOFF_MAX"] = "2secs";
  }
  for (const auto& [name, value] : request.container.command.environment) environment[name] = value;
  return environment;
}

}  // namespace gantry::agent::tasks
