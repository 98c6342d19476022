// linux.maskedPaths and linux.readonlyPaths. A path that does not exist needs neither.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "runtime/root_directory.hpp"

namespace gantry::runtime {

// Files get the host's /dev/null on top, which is checked to be that device, and directories an empty read-only tmpfs.
Result<void> maskPaths(const RootDirectory& root, const std::vector<std::string>& paths);

// Each is bound onto itself, with what is mounted below it, and made read-only.
Result<void> makePathsReadOnly(const RootDirectory& root, const std::vector<std::string>& paths);

}  // namespace gantry::runtime
