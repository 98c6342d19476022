// How this host is reached and what it is called, as a Mesos agent works it out. Name services are asked, which may
// block: for the start.
#pragma once

#include <string>

#include "async/task.hpp"
#include "base/result.hpp"

namespace gantry::agent {

// The address that `command`, a shell's command line, prints (--ip_discovery_command). InvalidArgument when it prints
// something else, or fails.
async::Task<Result<std::string>> discoverAddress(std::string command);

// By which address others reach who listens at `listening`: that one, or for "every address" (0.0.0.0, ::) the first
// IPv4 address of this host's name. NotFound when that has none.
Result<std::string> reachableAddress(const std::string& listening);

// The name of an address, or the address itself when it has none.
std::string nameOfAddress(const std::string& address);

}  // namespace gantry::agent
