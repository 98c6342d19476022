// For agent/config only: the files, as a list of settings.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"

namespace gantry::agent {

struct FileSetting {
  std::string name;
  // As the flag would have it: "true", "5051", "a,b".
  std::string value;
  // "/etc/gantry/agent.toml:3".
  std::string origin;
};

// Checks the keys, and that the type of each value is the setting's. NotFound when there is no such file.
Result<std::vector<FileSetting>> readToml(const std::string& path);
// A string as TOML writes it, with quotes.
std::string tomlString(const std::string& text);

}  // namespace gantry::agent
