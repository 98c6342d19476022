// What the engine is made of, handed down from main: every container's life uses the same parts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/containers/isolator_chain.hpp"
#include "agent/containers/monitors.hpp"
#include "agent/containers/oci_runtime.hpp"
#include "agent/images/store.hpp"
#include "agent/state/store.hpp"
#include "async/task.hpp"
#include "async/worker_pool.hpp"
#include "base/bytes.hpp"
#include "oci/spec.hpp"

namespace gantry::agent {

struct EngineSettings {
  // Absolute paths of directories that exist; containers are in their subdirectory "containers".
  std::string workDirectory;     // --work_dir: what outlives a reboot
  std::string runtimeDirectory;  // --runtime_dir: what dies with it
  // The cgroup below which containers have theirs, without slashes around it (--cgroups_root).
  std::string cgroupsRoot = "gantry";
  // Where a container with an image sees its sandbox (--sandbox_directory).
  std::string sandboxDirectory = "/mnt/mesos/sandbox";
  // gantry-monitor, and what it runs: the OCI runtime's program and state directory.
  std::string monitorProgram;
  std::string runtimeProgram;
  std::string runtimeRoot;
  // For containers that ask for none: the agent may have raised its own limits.
  std::vector<oci::Rlimit> rlimits;
  // Output files of each container.
  Bytes logSize = Bytes::mebi(10);
  std::uint32_t logFiles = 5;
  // Ended sessions of each container that can still be asked after; the oldest are forgotten.
  std::size_t keptSessions = 100;
};

// Counted since the agent started; read by agent/metrics.
struct EngineCounters {
  std::uint64_t launches = 0;  // asked for, refused ones included
  std::uint64_t refusals = 0;  // before anything was touched
  std::uint64_t launchFailures = 0;
  std::uint64_t exits = 0;        // of containers whose program ran
  std::uint64_t limitations = 0;  // of these, stopped by an isolator
  std::uint64_t sessions = 0;
  std::uint64_t recovered = 0;  // found running after a restart
  std::uint64_t orphansDestroyed = 0;
  std::uint64_t cleanupFailures = 0;
};

// References to what main owns; everything outlives the engine.
struct EngineParts {
  async::Executor executor;
  EngineSettings settings;
  state::Store& store;
  ImageStore& images;
  OciRuntime& runtime;
  Monitors& monitors;
  IsolatorChain& isolators;
  async::WorkerPool& pool;
};

}  // namespace gantry::agent
