// The one table of settings: flag, environment variables, file key, default and description cannot disagree.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/config/config.hpp"

namespace gantry::agent {

struct Option {
  // "work_dir": the flag is --work_dir, the variables GANTRY_WORK_DIR and MESOS_WORK_DIR, the key of the files
  // work_dir.
  std::string name;
  // What stands for the value in --help: "PATH". Of booleans nothing.
  std::string placeholder;
  // One or two sentences.
  std::string description;
  Kind kind = Kind::Text;
  // `file:///…` as a value means that path, and not the file's content.
  bool isPath = false;
  // False for the settings that say where the files are.
  bool inFiles = true;
  // Fails with the reason alone.
  std::function<Result<void>(Config&, std::string_view)> set;
  // What set() takes.
  std::function<std::string(const Config&)> get;
};

// In the order of --help. Constant.
const std::vector<Option>& options();
// Null when there is none.
const Option* findOption(std::string_view name);
// "work_dir" for "wrok_dir": the name with the fewest letters to change, if that is less than half of them.
std::string_view nearestOption(std::string_view name);

// "GANTRY_WORK_DIR" for "GANTRY_" and "work_dir".
std::string variableName(std::string_view prefix, std::string_view option);

}  // namespace gantry::agent
