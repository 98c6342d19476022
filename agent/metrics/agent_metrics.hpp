// What an agent tells about itself and its containers. docs/operating.md explains each metric.
#pragma once

#include "agent/containers/engine_parts.hpp"
#include "agent/containers/manager.hpp"
#include "agent/metrics/registry.hpp"
#include "http/server.hpp"

namespace gantry::agent {

// Adds the families of this process: version and host, start time, CPU time, memory, descriptors.
void addProcessMetrics(Registry& registry, std::string hostname);
// Adds containers by phase and the engine's counters. Both arguments outlive the registry's use.
void addEngineMetrics(Registry& registry, const ContainerManager& containers, const EngineCounters& counters);
// Adds what each running container uses, under the label "container". `containers` outlives the registry's use.
void addUsageMetrics(Registry& registry, ContainerManager& containers);
// Adds requests by method and status, and the time they took; give the result to http::Server::onServed. The registry
// outlives the server.
std::function<void(const http::Served&)> addHttpMetrics(Registry& registry);

}  // namespace gantry::agent
