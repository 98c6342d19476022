// The container's first process, from clone to exec: the child's side of the protocol in steps.hpp.
#pragma once

#include <string>
#include <vector>

#include "kernel/fd.hpp"
#include "oci/spec.hpp"
#include "runtime/cgroup.hpp"
#include "runtime/mounts.hpp"
#include "runtime/namespaces.hpp"
#include "runtime/process_setup.hpp"
#include "runtime/seccomp.hpp"

namespace gantry::runtime {

// What the runtime prepares before clone, because only it can (host paths, host rights) or because an error is then
// told without a child.
struct InitPlan {
  oci::Spec spec;
  std::string bundle;
  NamespacePlan namespaces;
  CgroupJoin cgroup;
  // A detached copy of root.path with everything mounted below it.
  kernel::Fd rootTree;
  std::vector<PreparedMount> mounts;
  GrantedCapabilities capabilities;
  SeccompFilter seccomp;
  // The host's /proc: what is written there cannot be redirected by files of the image (CVE-2025-52881).
  kernel::Fd proc;
  // Connected; empty without a terminal.
  kernel::Fd consoleSocket;
  // For `create`; empty: go on without `start`.
  kernel::Fd startListener;
  // The child's end of the pair.
  kernel::Fd messages;
  // Wait for Proceed before anything that needs id maps.
  bool waits = false;
  // Tell AtHooks and wait for Proceed.
  bool stopsAtHooks = false;
  bool mayDropGroups = true;
  // Name of the new session keyring; empty: keep the caller's.
  std::string keyring;
};

[[noreturn]] void runInit(InitPlan& plan);

}  // namespace gantry::runtime
