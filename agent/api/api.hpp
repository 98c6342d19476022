// The agent's HTTP interface: Mesos' v1 operator calls (POST /api/v1) and its GET endpoints (/state, /files/browse …),
// our own paths beside them (/gantry/v1/…), and those of every server (/healthz, /readyz, /metrics). Paths may begin
// with /slave(1) and end with .json.
//
// Contract: reference "Agent HTTP interfaces" for Mesos' part; docs/api.md for ours. Errors are one sentence as
// text/plain.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/api/agent_facts.hpp"
#include "agent/containers/manager.hpp"
#include "agent/images/store.hpp"
#include "agent/tasks/manager.hpp"
#include "agent/wire/build_info.hpp"
#include "async/time.hpp"
#include "http/message.hpp"
#include "http/router.hpp"

namespace gantry::agent::api {

struct Settings {
  wire::BuildInfo build = wire::BuildInfo::own();
  // Name to value, as GET_FLAGS and /flags show them.
  std::map<std::string, std::string> flags;
  // Between two heartbeats of an attached stream (--http_heartbeat_interval).
  async::Duration heartbeat = std::chrono::seconds(30);
  // How things stand now. Without a master: an agent that has no tasks.
  std::function<AgentFacts()> facts = [] { return AgentFacts(); };
  std::function<tasks::Snapshot()> tasks = [] { return tasks::Snapshot(); };
  std::function<tasks::TaskCounters()> taskCounters = [] { return tasks::TaskCounters(); };
  // What others count under Mesos' names ("containerizer/fetcher/…"), for /metrics/snapshot.
  std::function<std::map<std::string, double>()> moreMetrics = [] { return std::map<std::string, double>(); };
  // The file that the agent's log ends up in, for /slave/log; "" when nobody said.
  std::string externalLogFile;
  // Paths that are answered with 403.
  std::vector<std::string> disabledPaths;
  // Forgets the images that no container uses, but for these, and deletes what only they needed.
  std::function<async::Task<Result<void>>(std::vector<std::string> excluded)> pruneImages =
      [](std::vector<std::string>) -> async::Task<Result<void>> { co_return Result<void>(); };
  // The text of GET /metrics.
  std::function<std::string()> metrics = [] { return std::string(); };
};

// Only used on the agent's thread. Outlives the server that its routes are given to; the manager and the store outlive
// this.
class Api {
 public:
  Api(async::Executor executor, ContainerManager& containers, ImageStore& images, Settings settings);
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;
  ~Api();

  void addRoutes(http::Router& router);

  // Until this is called everything but the paths that say how we are is answered with 503.
  void recovered();
  // Ends what goes on by itself; await it before destruction.
  async::Task<> close();
  // For http::Server::setGate.
  std::optional<http::Response> gate(const http::Request& request) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace gantry::agent::api
