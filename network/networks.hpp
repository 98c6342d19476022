// Every network this host offers, and the attachments of containers to them: CNI networks from the operator's
// directory, and the default "bridge" when the operator configured none of that name.
//
// A container gets a network namespace of its own, kept by a bind mount at <runtime_dir>/netns/<id>, and the plug-ins
// of each of its networks are run on it. What was done is kept in <runtime_dir>/cni/<id>.json before it is done, so
// that DEL can undo it in an agent that did not do it.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "async/task.hpp"
#include "async/worker_pool.hpp"
#include "base/result.hpp"
#include "network/cni_result.hpp"
#include "network/counters.hpp"
#include "network/ports.hpp"

namespace gantry::network {

struct Settings {
  // Where plug-ins are looked for, in order, separated by colons (--network_cni_plugins_dir).
  std::string pluginPath = "/usr/lib/cni";
  // *.conf, *.conflist and *.json (--network_cni_config_dir); empty: only the default bridge.
  std::string configDirectory;
  // <runtime_dir>; netns/ and cni/ are made below it.
  std::string runtimeDirectory = "/run/gantry";
  // IPv4 subnet of the default bridge (--bridge_subnet); the host's routes must not overlap it.
  std::string bridgeSubnet = "10.213.0.0/20";
  // Of the default bridge; at most 15 characters.
  std::string bridgeInterface = "gantry0";
  // A plug-in that takes longer is killed.
  std::chrono::seconds pluginTimeout{30};
  // How long the default bridge stays when no container uses it, so that a busy host does not make it again and again.
  std::chrono::milliseconds bridgeGrace{300};
};

// What to join, as the container's request says it.
struct Wanted {
  std::string network;
  std::vector<PortMapping> portMappings;
  // For the plug-ins: CniAttachment::labels.
  std::map<std::string, std::string> labels{};
};

// One interface that a container got.
struct Attached {
  std::string network;
  std::string interface;               // eth0, eth1, … in the order of the request
  std::vector<std::string> addresses;  // without prefix length
  std::vector<PortMapping> portMappings;
};

struct Joined {
  // The bind mount that keeps the network namespace.
  std::string namespacePath;
  std::vector<Attached> attached;
  // Of the first network whose plug-ins named any nameserver.
  Dns dns;
};

// Only used on the agent's thread.
class Networks {
 public:
  // Makes the directories below runtimeDirectory and reads what is in them. InvalidArgument for a bad bridgeSubnet;
  // fails when a directory cannot be made. Configuration files are read when a container asks for a network, so that
  // changes need no restart. `pool` is owned by the caller and outlives this.
  static Result<std::unique_ptr<Networks>> open(async::Executor executor, async::WorkerPool& pool, Settings settings);
  // Await close() first.
  virtual ~Networks() = default;

  // Whether join() would be refused; its error begins with "<field>[n].name" or "<field>[n].port_mappings[m]".
  // InvalidArgument for a network that does not exist or cannot be used on this host, Busy for a host port in use.
  // Nothing is taken yet.
  virtual Result<void> check(const std::string& container, const std::vector<Wanted>& wanted,
                             const std::string& field) = 0;
  // Makes the namespace with loopback up and runs the plug-ins of each network in order; no networks: loopback only.
  // All or nothing: after an Error everything is undone. A container that has already joined gets what it had.
  virtual async::Task<Result<Joined>> join(std::string container, std::vector<Wanted> wanted, std::string field) = 0;
  // DEL in reverse order, then the namespace and the record. Right without join, and a second time. After an Error the
  // record stays, so that it can be tried again.
  virtual async::Task<Result<void>> leave(std::string container) = 0;
  // Where join() mounts the namespace of `container`.
  virtual std::string namespacePath(const std::string& container) const = 0;
  // What join() made, in this agent's life or an earlier one; NotFound when nothing.
  virtual Result<Joined> joined(const std::string& container) const = 0;
  virtual Result<Counters> counters(const std::string& container) const = 0;
  // Every container with a record or a namespace, whoever made it.
  virtual std::vector<std::string> containers() const = 0;
  // For an agent that stops: ends what runs in the background. The default bridge and its rules go too, unless a
  // container uses them; while the agent runs, they go soon after the last container has left.
  virtual async::Task<> close() = 0;
};

}  // namespace gantry::network
