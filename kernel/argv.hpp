// What execve(2) takes of a list of strings.
#pragma once

#include <string>
#include <vector>

namespace gantry::kernel {

// Pointers into `strings`, which must outlive them, and a null behind the last.
std::vector<char*> toArgv(const std::vector<std::string>& strings);

}  // namespace gantry::kernel
