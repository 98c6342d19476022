// Hooks (runtime-spec, config.md, "POSIX-platform Hooks"): programs that get the container's state on standard input.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "oci/spec.hpp"

namespace gantry::runtime {

// Runs the hooks of one kind in order, in `workingDirectory`, and stops at the first that fails, exceeds its timeout,
// or cannot be started. A hook gets its own environment only, never the container's (CVE-2025-23266). What it writes to
// standard error is part of the error.
Result<void> runHooks(std::string_view kind, const std::vector<oci::Hook>& hooks, const std::string& stateJson,
                      const std::string& workingDirectory);

// For poststart and poststop, whose failure is only reported: runs them all.
void runHooksAndWarn(std::string_view kind, const std::vector<oci::Hook>& hooks, const std::string& stateJson,
                     const std::string& workingDirectory);

}  // namespace gantry::runtime
