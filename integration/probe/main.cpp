// Picks the probe's command and prints its answer.
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "probe.hpp"

namespace {

// Where tests put the probe in a container's root file system. Outside a container most commands would do harm to the
// host when they succeed, so nothing runs from anywhere else.
constexpr const char* kPlace = "/bin/probe";

using probe::Arguments;
using probe::Json;

const std::map<std::string, std::function<Json(const Arguments&)>> kCommands = {
    {"facts", [](const Arguments&) { return probe::facts(); }},
    {"paths", probe::paths},
    {"open", probe::openPaths},
    {"mknod", probe::makeDevice},
    {"syscall", probe::systemCall},
    {"attempts", probe::attempts},
    {"write", probe::writeFile},
    {"memory", probe::memory},
    {"processes", probe::processes},
    {"spin", probe::spin},
    {"listen", probe::listenOn},
    {"connect", probe::connectTo},
    {"ticks", probe::ticks},
    {"signal", probe::awaitSignal},
};

int usage() {
  std::cerr << "usage: probe exit STATUS | raise SIGNAL | pause";
  for (const auto& [name, command] : kCommands) std::cerr << " | " << name;
  std::cerr << " [ARGUMENT...]\n";
  return 64;
}

}  // namespace

int main(int count, char** values) {
  char place[256] = "";
  if (::readlink("/proc/self/exe", place, sizeof place - 1) > 0 && std::string(place) != kPlace) {
    std::cerr << "probe: runs in a container only, as " << kPlace << ", not as " << place << "\n";
    return 64;
  }
  Arguments arguments(values + 1, values + count);
  if (arguments.empty()) return usage();
  const std::string name = arguments.front();
  arguments.erase(arguments.begin());

  if (name == "exit" && arguments.size() == 1) return std::atoi(arguments[0].c_str());
  if (name == "raise" && arguments.size() == 1) {
    // As a pid namespace's first process the default action of most signals is not taken; abort and faults are.
    ::raise(std::atoi(arguments[0].c_str()));
    return 0;
  }
  if (name == "pause") {
    for (;;) ::pause();
  }
  const auto found = kCommands.find(name);
  if (found == kCommands.end()) return usage();
  const Json answer = found->second(arguments);
  if (!answer.is_null()) std::cout << answer.dump() << std::endl;
  return 0;
}
