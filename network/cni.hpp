// Running CNI plug-ins: one attachment of one container to one network, by the network's whole chain of plug-ins
// (CNI specification 1.0, "Section 3: Execution of Network Configurations").
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "async/task.hpp"
#include "base/result.hpp"
#include "network/config.hpp"
#include "network/ports.hpp"

namespace gantry::network {

// Everything a plug-in is told; kept on disk, so that another agent can undo what this one did.
struct CniAttachment {
  // By which the request called the network; plug-ins get the name in its configuration.
  std::string requested;
  NetworkConfig network;  // as it was at ADD, whatever the file says later
  std::string containerId;
  std::string interface;
  std::vector<PortMapping> portMappings;
  // Of the request's entry. With the name and the port mappings they make up Mesos' NetworkInfo, which plug-ins get as
  // args."org.apache.mesos".network_info, as mesos-agent gives it to them.
  std::map<std::string, std::string> labels{};
  // What the last plug-in answered to ADD, as it stands; empty before.
  std::string result;

  bool operator==(const CniAttachment&) const = default;
};

// Only used on the agent's thread.
class Cni {
 public:
  // `pluginPath` is a list of directories separated by colons. A plug-in that runs longer than `timeout` is killed.
  Cni(std::string pluginPath, std::chrono::nanoseconds timeout);

  // PATH for the plug-ins, which look for iptables there.
  void setSearchPath(std::string path) { searchPath_ = std::move(path); }

  // The program of the plug-in `type`. NotFound names it and where it was looked for.
  Result<std::string> locate(const std::string& type) const;

  // ADD down the chain, each plug-in getting its predecessor's result; completes with the last result. When one fails,
  // what its predecessors did is undone first.
  async::Task<Result<std::string>> add(CniAttachment attachment, std::string namespacePath);
  // DEL up the chain. All plug-ins run, the first error is returned. An empty `namespacePath`: the namespace is gone.
  async::Task<Result<void>> del(CniAttachment attachment, std::string namespacePath);
  // CHECK down the chain; success where the network's version (before 0.4.0) has no CHECK.
  async::Task<Result<void>> check(CniAttachment attachment, std::string namespacePath);

 private:
  async::Task<Result<std::string>> run(std::string command, CniAttachment attachment, std::size_t plugin,
                                       std::string namespacePath, std::string previous);

  std::string pluginPath_;
  std::chrono::nanoseconds timeout_;
  std::string searchPath_ = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
};

// Whether version `text` ("1.0.0") is at least major.minor.
bool isAtLeast(const std::string& text, int major, int minor);

}  // namespace gantry::network
