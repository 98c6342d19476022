#include "kernel/argv.hpp"

namespace gantry::kernel {

std::vector<char*> toArgv(const std::vector<std::string>& strings) {
  std::vector<char*> argv;
  argv.reserve(strings.size() + 1);
  for (const std::string& text : strings) argv.push_back(const_cast<char*>(text.c_str()));
  argv.push_back(nullptr);
  return argv;
}

}  // namespace gantry::kernel
