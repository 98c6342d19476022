// What the rest of the agent knows of it, as the endpoints show it. Whoever keeps the link to the master fills it in;
// an agent without a master leaves most of it empty.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/tasks/task.hpp"

namespace gantry::agent::api {

struct AgentFacts {
  // What a master calls it; "" before one did.
  std::string id;
  // Its UPID: "slave(1)@10.0.0.1:5051".
  std::string pid;
  // The address that tasks on the host's network are reached by.
  std::string ip;
  std::string hostname;
  tasks::Clock::time_point started = tasks::Clock::now();
  // Whether a master knows of it now, and the host of that master.
  bool registered = false;
  std::string masterHostname;
  // Names, as "MULTI_ROLE".
  std::vector<std::string> capabilities;
  // AgentInfo, with the id if there is one; "" when there is none.
  tasks::Message info;
  // Resource.
  std::vector<tasks::Message> checkpointedResources;
  // How long it took to take up what an earlier agent left, and how much of it could not be read.
  std::optional<std::chrono::nanoseconds> recovery;
  std::uint64_t recoveryErrors = 0;
};

}  // namespace gantry::agent::api
