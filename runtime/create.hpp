// Making a container: the runtime's side of the protocol in steps.hpp, and clearing away when it fails.
#pragma once

#include <string>

#include "base/result.hpp"
#include "kernel/fd.hpp"
#include "kernel/process.hpp"
#include "runtime/state_store.hpp"

namespace gantry::runtime {

struct CreateOptions {
  std::string bundle = ".";
  // Empty: none is written.
  std::string pidFile;
  std::string consoleSocket;
  bool newKeyring = true;
  // `run`: the program starts at once instead of waiting for `start`.
  bool startsAtOnce = false;
  // `run` in the foreground: without a console socket the terminal's master comes back in CreatedContainer.
  bool proxiesTerminal = false;
};

struct CreatedContainer {
  ContainerDirectory directory;
  ContainerRecord record;
  kernel::Process init;
  // Empty unless proxiesTerminal applies.
  kernel::Fd terminal;
};

// On failure nothing of the container is left: no process, cgroup, mount or state. AlreadyExists when the id is taken.
Result<CreatedContainer> createContainer(const StateStore& store, const std::string& id, const CreateOptions& options);

// The container's state for hooks and for `state`.
std::string stateJson(const ContainerRecord& record, Status status);

// What the listener of a seccomp filter gets with the descriptor (runtime-spec, config-linux.md, "The Container Process
// State"). `pid` is the process that loaded the filter.
std::string seccompStateJson(const ContainerRecord& record, Status status, pid_t pid, const oci::Seccomp& seccomp);

// Writes the pid, whole or not at all.
Result<void> writePidFile(const std::string& path, pid_t pid);

}  // namespace gantry::runtime
