// What a container is asked to be: plain values, whichever way the request came in. Wire types stop above this.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"

namespace gantry::isolators {

// What to run. As in Mesos' CommandInfo: with `shell` the value is given to /bin/sh -c; without, `value` is the program
// (argv[0] is arguments[0] when there are any); nothing at all means the image's entrypoint and command
// (reference: containerizer, 5.13, has the whole table).
struct Command {
  bool shell = true;
  std::optional<std::string> value;
  std::vector<std::string> arguments;
  // Docker's rule in place of Mesos': without a value the arguments stand in place of the image's command, after its
  // entrypoint or alone. (Mesos' rule takes the first word of the command for the program then.)
  bool argumentsReplaceCommand = false;
  std::map<std::string, std::string> environment;
  // "uid", "uid:gid", "name" or "name:group", looked up in the container's root file system; unset: the image's user.
  std::optional<std::string> user;
  // Absolute; unset: the image's, else the sandbox.
  std::optional<std::string> workingDirectory;

  bool operator==(const Command&) const = default;
};

// What the container may use. A request is the guaranteed share, a limit the ceiling. Without a limit memory is capped
// at the request, and cpus are not capped (Mesos' default; reference: containerizer, 5.1).
struct Resources {
  static constexpr double kInfinity = std::numeric_limits<double>::infinity();

  // Cores; > 0.
  std::optional<double> cpus;
  // Cores, >= cpus, or kInfinity for "no ceiling".
  std::optional<double> cpusLimit;
  std::optional<Bytes> memory;
  // >= memory; Bytes{UINT64_MAX} for "no ceiling".
  std::optional<Bytes> memoryLimit;
  // Processes and threads; unset: the agent's default (DESIGN: a container always has a pids limit).
  std::optional<std::uint64_t> pids;
  // Of the sandbox and the writable layer together.
  std::optional<Bytes> disk;

  bool operator==(const Resources&) const = default;
};

struct Volume {
  enum class Source { HostPath, SandboxPath, Tmpfs };
  enum class Propagation { Private, HostToContainer, Bidirectional };

  Source source = Source::HostPath;
  // HostPath: absolute, must exist. SandboxPath: relative to the container's own sandbox, made when missing. Tmpfs: "",
  // a new file system in memory, which counts as the container's.
  std::string path;
  // Absolute, or relative to the sandbox; made when missing.
  std::string containerPath;
  bool readOnly = false;
  Propagation propagation = Propagation::HostToContainer;
  // Of a Tmpfs, as tmpfs(5) and mount(8) spell them: "size=64m", "mode=1777", "noexec"; nosuid, nodev and noexec unless
  // their opposites are among them.
  std::vector<std::string> tmpfsOptions;

  bool operator==(const Volume&) const = default;
};

struct PortMapping {
  enum class Protocol { Tcp, Udp };

  std::uint16_t hostPort = 0;  // 0: any free one
  std::uint16_t containerPort = 0;
  Protocol protocol = Protocol::Tcp;

  bool operator==(const PortMapping&) const = default;
};

// One entry joins the container to one network. No entry at all: the host's network namespace.
struct NetworkAttachment {
  // A CNI network's name, or one of the reserved names "host" (the host's namespace) and "none" (a namespace of its own
  // with loopback only). Either of these must be the only entry.
  std::string name;
  std::vector<PortMapping> portMappings;
  std::map<std::string, std::string> labels;

  bool operator==(const NetworkAttachment&) const = default;
};

// What the operator or the request loosens or tightens. Unset is the default of DESIGN.md section 6.
struct Security {
  bool privileged = false;
  bool shareIpcNamespace = false;
  bool sharePidNamespace = false;
  // Names as "CAP_NET_BIND_SERVICE".
  std::optional<std::vector<std::string>> effectiveCapabilities;
  std::optional<std::vector<std::string>> boundingCapabilities;
  // Docker's rule in place of Mesos': the effective capabilities are root's, and a program of another user has them in
  // its bounding set only.
  bool onlyRootHasCapabilities = false;
  bool seccompUnconfined = false;
  bool readOnlyRootfs = false;

  bool operator==(const Security&) const = default;
};

struct Rlimit {
  std::string type;  // "RLIMIT_NOFILE"
  std::uint64_t soft = 0;
  std::uint64_t hard = 0;

  bool operator==(const Rlimit&) const = default;
};

struct ContainerRequest {
  explicit ContainerRequest(ContainerId containerId) : id(std::move(containerId)) {}

  ContainerId id;
  // An absolute directory that exists, and outlives the container; unset: one of its own, which goes with it.
  std::optional<std::string> sandbox;
  // A reference as fetcher/reference.hpp reads it; unset: the host's own file system (as mesos-agent runs such tasks).
  std::optional<std::string> image;
  // False asks the registry again even if the reference is known.
  bool useCachedImage = true;
  Command command;
  Resources resources;
  std::vector<Volume> volumes;
  std::vector<NetworkAttachment> networks;
  // Unset: see hostnameOf.
  std::optional<std::string> hostname;
  Security security;
  std::vector<Rlimit> rlimits;
  std::optional<Bytes> shmSize;
  bool terminal = false;
  // The window when `terminal`; 0: the default of the kernel.
  std::uint16_t terminalRows = 0;
  std::uint16_t terminalColumns = 0;
  // Keeps standard input open for attached clients; otherwise it is /dev/null.
  bool openStdin = false;
  std::map<std::string, std::string> labels;

  bool operator==(const ContainerRequest&) const = default;
};

// What the container calls itself: what it asked for, otherwise the first 63 characters of its id, as a label of a name
// may have.
std::string hostnameOf(const ContainerRequest& request);

}  // namespace gantry::isolators
