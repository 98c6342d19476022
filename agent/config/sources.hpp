// For agent/config only: command line and environment, as values whose meaning nobody has looked at yet.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/config/values.hpp"
#include "base/result.hpp"

namespace gantry::agent {

// A value with where it came from: "--work_dir", "GANTRY_WORK_DIR", "/etc/gantry/agent.toml:3".
struct Given {
  std::string value;
  std::string origin;
};
// By the name of the setting, or of mesos-agent's flag.
using GivenValues = std::map<std::string, Given, std::less<>>;

// What can be given: a setting of ours or a flag of mesos-agent.
struct Named {
  std::string name;
  std::string placeholder;
  Kind kind = Kind::Text;
};

struct Flags {
  bool printConfig = false;
  GivenValues values;
};

// "--name=value", "--name value", "--name" and "--no-name" for booleans. InvalidArgument for anything else, and for
// names that nobody knows.
Result<Flags> readFlags(const std::vector<std::string>& arguments);

// GANTRY_* for our settings; what is not known of them is an error, but for other programs' variables.
Result<GivenValues> readOurVariables(const std::vector<std::string>& environment);
// MESOS_* for our settings and mesos-agent's flags; others are left alone, of which tasks have many.
GivenValues readMesosVariables(const std::vector<std::string>& environment);
// LIBPROCESS_IP, LIBPROCESS_ADVERTISE_IP and LIBPROCESS_ADVERTISE_PORT, which mesos-agent takes, too.
GivenValues readLibprocessVariables(const std::vector<std::string>& environment);

// The value, or for "file:///path" (of JSON also "/path") the content of that file without the white space at its end.
// With `isPath` the path itself.
Result<std::string> dereference(Kind kind, bool isPath, const std::string& value);

}  // namespace gantry::agent
