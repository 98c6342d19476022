// A further process in a container that exists: joins its namespaces and cgroups and becomes the program.
#pragma once

#include <string>

#include "base/result.hpp"
#include "kernel/fd.hpp"
#include "kernel/process.hpp"
#include "oci/spec.hpp"
#include "runtime/state_store.hpp"

namespace gantry::runtime {

struct ExecOptions {
  oci::Process process;
  std::string consoleSocket;
  // Without a console socket the terminal's master comes back in ExecutedProcess.
  bool proxiesTerminal = false;
  // Instead of failing when the container is paused before the program runs.
  bool waitsWhilePaused = false;
  // Where compiled seccomp programs are kept.
  std::string seccompCache;
};

struct ExecutedProcess {
  kernel::Process process;
  kernel::Fd terminal;
};

// Returns once the program runs. Afterwards new children of the caller are in the container's pid namespace.
Result<ExecutedProcess> executeInContainer(const ContainerRecord& record, const oci::Spec& spec,
                                           const ExecOptions& options);

}  // namespace gantry::runtime
