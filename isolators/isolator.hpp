// One aspect of a container's isolation: what the host must provide for it, and what the OCI bundle needs.
//
// The agent keeps isolators in one ordered list. For each container it calls prepare in list order, builds the bundle
// from the contributions (a pure function), lets the monitor create the container, calls attach in list order, starts
// the program, and on the way out calls cleanup in reverse order.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/task.hpp"
#include "isolators/request.hpp"
#include "oci/image.hpp"
#include "oci/spec.hpp"

namespace gantry::isolators {

// One container as isolators see it: what was asked, and where its things are. Never changes after it was made.
struct Container {
  ContainerRequest request;
  // The unpacked layers' directories, lowest first, and the image's configuration; empty without an image.
  std::vector<std::string> layers;
  oci::ImageConfig imageConfig;
  // <work_dir>/containers/<id>: the writable layer and what else outlives a reboot.
  std::string stateDirectory;
  // Where the task's files, stdout and stderr are: <work_dir>/containers/<id>/sandbox for standalone containers.
  std::string sandbox;
  // <runtime_dir>/containers/<id>: bundle, root file system mount, monitor socket.
  std::string runtimeDirectory;
  // Path below each cgroup hierarchy's mount point, e.g. "/gantry/web".
  std::string cgroupPath;

  const ContainerId& id() const { return request.id; }
};
using ContainerPtr = std::shared_ptr<const Container>;

// What one isolator adds to the bundle. Later isolators win where two set the same scalar or the same variable.
struct Contribution {
  std::optional<std::string> rootfs;
  bool readOnlyRootfs = false;
  std::vector<oci::Mount> mounts;
  std::map<std::string, std::string> environment;
  std::vector<oci::Namespace> namespaces;
  std::vector<oci::Device> devices;
  std::vector<oci::Rlimit> rlimits;
  std::vector<std::string> maskedPaths;
  std::vector<std::string> readonlyPaths;
  std::map<std::string, std::string> sysctl;
  std::optional<std::string> hostname;
  std::optional<oci::Resources> resources;
  std::optional<oci::Seccomp> seccomp;
  std::optional<oci::Capabilities> capabilities;
  std::optional<bool> noNewPrivileges;
  std::optional<int> oomScoreAdj;
  std::optional<std::string> rootfsPropagation;
};

// What an isolator kept for its cleanup after a restart: its own JSON text, "" when it kept nothing.
using SavedState = std::string;

// Why a container must be stopped: a sentence, and the reason out of Mesos' taxonomy, e.g.
// "REASON_CONTAINER_LIMITATION_MEMORY".
struct Limitation {
  std::string reason;
  std::string message;
};

// What a container uses; unset where it was not measured. Names and units are those of Mesos' ResourceStatistics.
struct Usage {
  std::optional<double> cpusUserTimeSecs;
  std::optional<double> cpusSystemTimeSecs;
  std::optional<double> cpusLimit;
  std::optional<double> cpusSoftLimit;
  std::optional<std::uint32_t> cpusNrPeriods;
  std::optional<std::uint32_t> cpusNrThrottled;
  std::optional<double> cpusThrottledTimeSecs;
  std::optional<std::uint32_t> processes;
  std::optional<std::uint32_t> threads;
  std::optional<std::uint64_t> memTotalBytes;
  std::optional<std::uint64_t> memLimitBytes;
  std::optional<std::uint64_t> memSoftLimitBytes;
  std::optional<std::uint64_t> memRssBytes;
  std::optional<std::uint64_t> memAnonBytes;
  std::optional<std::uint64_t> memFileBytes;
  std::optional<std::uint64_t> memCacheBytes;
  std::optional<std::uint64_t> memMappedFileBytes;
  std::optional<std::uint64_t> memSwapBytes;
  std::optional<std::uint64_t> memUnevictableBytes;
  std::optional<std::uint64_t> netRxBytes;
  std::optional<std::uint64_t> netRxPackets;
  std::optional<std::uint64_t> netRxErrors;
  std::optional<std::uint64_t> netRxDropped;
  std::optional<std::uint64_t> netTxBytes;
  std::optional<std::uint64_t> netTxPackets;
  std::optional<std::uint64_t> netTxErrors;
  std::optional<std::uint64_t> netTxDropped;
  std::optional<std::uint64_t> diskUsedBytes;
  std::optional<std::uint64_t> diskLimitBytes;
};

// Something in the kernel that outlives the agent, by the name under which it can be found again: {"cgroup",
// "/gantry/web"}, {"netns", "/run/gantry/netns/web"}, {"mount", "/run/gantry/containers/web/rootfs"}.
struct KernelObject {
  std::string kind;
  std::string name;

  auto operator<=>(const KernelObject&) const = default;
};

// Addresses and ports a container got, for status and for its own environment.
struct NetworkStatus {
  std::string network;
  std::string interface;
  std::vector<std::string> addresses;  // without prefix length
  std::vector<PortMapping> portMappings;
};

// All calls for one container come in order, on the agent's thread.
class Isolator {
 public:
  virtual ~Isolator() = default;
  virtual std::string_view name() const = 0;
  // Refuses, before anything is touched, what this host cannot enforce: InvalidArgument or Unsupported with a message
  // "<field>: <reason>".
  virtual Result<void> check(const ContainerRequest& request) const;
  // What prepare is going to make for `container`. The agent writes it to its ledger, durably and together with the
  // container's record, before prepare is called, and strikes it out after cleanup succeeded. Pure.
  virtual std::vector<KernelObject> plan(const Container& container) const;
  // False lets prepare run beside the image download; its container then has no layers and no image configuration.
  virtual bool needsImage() const;
  // Creates what the host must provide and says what the bundle needs. May be called again after a crash. What cleanup
  // needs beyond the request and the plan goes to SavedStates (isolators/saved_states.hpp) before it is made.
  virtual async::Task<Result<Contribution>> prepare(ContainerPtr container) = 0;
  // The container's first process exists and has not run the user's program yet.
  virtual async::Task<Result<void>> attach(ContainerPtr container, pid_t init);
  // Completes when what this isolator guards demands that the container be stopped; by default, never (until it is
  // cancelled).
  virtual async::Task<Limitation> watch(ContainerPtr container);
  virtual Result<void> usage(const Container& container, Usage& into);
  virtual std::vector<NetworkStatus> networks(const Container& container) const;
  // All processes of the container, as the host sees them, from the isolator that can tell.
  virtual std::vector<pid_t> processes(const Container& container) const;
  // Undoes prepare. Must be right without prepare, a second time, and in an agent that did not run prepare.
  virtual async::Task<Result<void>> cleanup(ContainerPtr container) = 0;
  // After a restart, before anything else is called for `container`, which goes on running.
  virtual async::Task<Result<void>> recover(ContainerPtr container);
  // The ids of containers of which this isolator finds something on the host, whoever made it. After a restart the
  // agent calls cleanup for those it has no record of (with a container of which only the id and the directories are
  // right).
  virtual std::vector<std::string> leftovers() const;
};

}  // namespace gantry::isolators
