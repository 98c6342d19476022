#include "agent/api/container_json.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/wait.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "agent/containers/request_json.hpp"
#include "agent/wire/response.hpp"
#include "kernel/signals.hpp"

namespace gantry::agent::api {
namespace {

using json = nlohmann::ordered_json;

std::string timeText(Clock::time_point time) {
  const auto millis = std::chrono::floor<std::chrono::milliseconds>(time);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(millis);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(Clock::to_time_t(seconds)), (millis - seconds).count());
}

// What was asked for, as a user would type it.
json commandOf(const isolators::Command& command) {
  json words = json::array();
  if (command.shell && command.value) return json::array({"/bin/sh", "-c", *command.value});
  if (command.value && command.arguments.empty()) words.push_back(*command.value);
  for (const std::string& argument : command.arguments) words.push_back(argument);
  return words;
}

json networkOf(const isolators::NetworkStatus& network) {
  json ports = json::array();
  for (const auto& mapping : network.portMappings) {
    ports.push_back({{"host_port", mapping.hostPort},
                     {"container_port", mapping.containerPort},
                     {"protocol", mapping.protocol == isolators::PortMapping::Protocol::Tcp ? "tcp" : "udp"}});
  }
  return {{"network", network.network},
          {"interface", network.interface},
          {"addresses", network.addresses},
          {"port_mappings", std::move(ports)}};
}

json exitOf(const Termination& termination) {
  json exit = json::object();
  if (termination.waitStatus) {
    exit["wait_status"] = *termination.waitStatus;
    exit["code"] = WIFSIGNALED(*termination.waitStatus) ? 128 + WTERMSIG(*termination.waitStatus)
                                                        : WEXITSTATUS(*termination.waitStatus);
  }
  if (termination.state) exit["state"] = *termination.state;
  if (termination.reason) exit["reason"] = *termination.reason;
  exit["message"] = termination.message;
  return exit;
}

json summaryOf(const ContainerView& view) {
  const ContainerStatus& status = view.status;
  const isolators::ContainerRequest& request = status.container->request;
  json summary = {{"id", status.container->id().text()}};
  if (request.image) summary["image"] = *request.image;
  if (!status.imageDigest.empty()) summary["image_digest"] = status.imageDigest;
  summary["command"] = commandOf(request.command);
  summary["phase"] = toString(status.phase);
  summary["created"] = timeText(status.created);
  if (status.started) summary["started"] = timeText(*status.started);
  if (status.finished) summary["finished"] = timeText(*status.finished);
  if (status.pid > 0) summary["pid"] = status.pid;
  summary["stop_signal"] = kernel::parseSignal(status.container->imageConfig.config.stopSignal).value_or(SIGTERM);
  summary["networks"] = json::array();
  for (const auto& network : status.networks) summary["networks"].push_back(networkOf(network));
  if (status.termination) summary["exit"] = exitOf(*status.termination);
  if (!request.labels.empty()) summary["labels"] = request.labels;
  if (view.usage) summary["statistics"] = json::parse(wire::statisticsJson(*view.usage, Clock::now()));
  return summary;
}

// Requests that came as protobuf may hold strings that are not UTF-8.
std::string dump(const json& document) {
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

std::string summaryJson(const ContainerView& view) {
  return dump(summaryOf(view));
}

std::string inspectJson(const ContainerView& view) {
  const isolators::Container& container = *view.status.container;
  json document = summaryOf(view);
  const auto request = toJson(container.request);
  if (request) document["request"] = json::parse(*request);
  document["container_status"] = json::parse(wire::containerStatusJson(view.status));
  document["sandbox"] = container.sandbox;
  document["bundle"] = container.runtimeDirectory;
  document["cgroup"] = container.cgroupPath;
  document["layers"] = container.layers;
  return dump(document);
}

}  // namespace gantry::agent::api
