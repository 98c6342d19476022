// The state of a container as runtime-spec, runtime.md ("State") defines it: what `state` prints and hooks get on
// stdin.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace gantry::oci {

// The version of the specification we implement; older 1.x documents are accepted, newer 1.x ones too.
inline constexpr std::string_view kOciVersion = "1.3.0";

struct State {
  std::string ociVersion{kOciVersion};
  std::string id;
  std::string status;  // "creating", "created", "running", "stopped"; ours adds "paused", as runc's
  pid_t pid = 0;       // 0: none
  std::string bundle;  // absolute
  std::map<std::string, std::string> annotations;

  bool operator==(const State&) const = default;
};

// InvalidArgument names the member, as parseSpec does.
Result<State> parseState(std::string_view json);
std::string toJson(const State& state);

}  // namespace gantry::oci
