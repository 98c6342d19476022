// What a master says of itself where agents look for it: a MasterInfo, as JSON or (older masters) as protobuf.
#pragma once

#include <string>
#include <string_view>

#include "agent/wire/media.hpp"
#include "base/result.hpp"

namespace gantry::agent::wire {

struct Master {
  std::string id;
  std::string pid;  // "master@10.0.0.1:5050"; made up of address and port when the master did not say
  std::string hostname;
  std::string version;
  // It lets an agent come back with changed resources or attributes.
  bool updatesAgents = false;
  bool drainsAgents = false;
};
// Capabilities that are not known here are passed over. InvalidArgument for anything but a MasterInfo.
Result<Master> parseMaster(std::string_view text, Media media);

}  // namespace gantry::agent::wire
