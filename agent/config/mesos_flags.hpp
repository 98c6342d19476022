// The flags of mesos-agent that are no settings of ours: what is said to somebody who gives one all the same.
//
// A flag whose loss nobody but the operator would notice is taken and ignored, and a warning says why. One whose silent
// loss would weaken isolation or change what tasks see is refused, unless its value asks for what is so anyway.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/config/values.hpp"

namespace gantry::agent {

struct Verdict {
  enum class Kind { Met, Ignored, Refused };
  Kind kind = Kind::Met;
  // One clause that explains it; "" when it is met.
  std::string reason;
};

struct MesosFlag {
  std::string name;
  // Boolean, Text or Json; as in options.hpp.
  Kind kind = Kind::Text;
  // What an agent that is not given the flag does, in the flag's own words; "" when that cannot be said.
  std::string inForce;
  // `value` is that of the flag, file:///… resolved; of booleans "true" or "false".
  std::function<Verdict(std::string_view value)> judge;
};

// By subject. Constant.
const std::vector<MesosFlag>& mesosFlags();
// Null when there is none.
const MesosFlag* findMesosFlag(std::string_view name);

// --isolation: isolators whose work is always done are met, those that only lower isolation or measure more are ignored
// and the others refused, each by its name.
Verdict judgeIsolation(std::string_view list);

}  // namespace gantry::agent
