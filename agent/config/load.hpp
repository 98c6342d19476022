// From command line, environment and files to a Config, with the origin of every value.
//
// The order, strongest first: flag, GANTRY_* variable, MESOS_* variable, conf.d/*.toml (the last file wins),
// agent.toml, default. What is not known is an error that names the nearest known setting, except for MESOS_*
// variables, of which tasks and other programs have some. LIBPROCESS_IP, LIBPROCESS_ADVERTISE_IP and
// LIBPROCESS_ADVERTISE_PORT count after MESOS_*. Flags of mesos-agent that are no settings are judged: mesos_flags.hpp.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/config/config.hpp"
#include "base/result.hpp"

namespace gantry::agent {

struct Setting {
  std::string name;
  std::string value;
  // "--work_dir", "GANTRY_WORK_DIR", "/etc/gantry/agent.toml:3", "default".
  std::string origin;
};

// A flag of mesos-agent that was given and does nothing here.
struct IgnoredFlag {
  std::string origin;
  std::string reason;
};

struct Loaded {
  enum class Action { Run, Help, Version, PrintConfig };

  Action action = Action::Run;
  Config config;
  // Every setting, in the order of the table.
  std::vector<Setting> settings;
  // For the log.
  std::vector<IgnoredFlag> ignored;
  // Those of mesos-agent's other flags that were given, by name.
  std::map<std::string, std::string> mesosFlags;
};

// `arguments` without the program's name: "--name=value", "--name value", "--name" and "--no-name" for booleans; dashes
// in names are underscores. `environment` as "NAME=value". A value "file:///path" is the content of that file, as
// mesos-agent has it (for settings that are paths, the path itself); "/path" is for JSON, too. InvalidArgument says
// what is wrong with which setting from which origin; Unsupported, why a flag of mesos-agent cannot be taken. --help
// and
// --version win over every error.
Result<Loaded> load(const std::vector<std::string>& arguments, const std::vector<std::string>& environment);

// Name to value, as mesos-agent's /flags has them: settings, and what can be said in mesos-agent's other flags. What is
// empty is left out.
std::map<std::string, std::string> flagsInForce(const Loaded& loaded);

// What --help prints.
std::string helpText();
// What --print-config prints: TOML that says the same as all sources together, with each origin as a comment.
std::string printedConfig(const Loaded& loaded);

}  // namespace gantry::agent
