// The leading master of those that contend for it in ZooKeeper: `--master=zk://…`. Each has made a sequential node
// below one path; the lowest number leads. Reference: libprocess, 8.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/master/detector.hpp"
#include "agent/master/zookeeper_session.hpp"
#include "async/worker_pool.hpp"

namespace gantry::agent::master {

struct ZooKeeperTimes {
  // How long the ensemble may be unreachable until the leader that it last told counts as gone.
  async::Duration session = std::chrono::seconds(10);
  // Between two tries of what failed.
  async::Duration retry = std::chrono::seconds(2);
};

// The session lives from the first detect() to the destructor, which blocks for a moment. One detect() at a time; what
// happens between two of them is noticed by the second.
class ZooKeeperDetector final : public Detector {
 public:
  ZooKeeperDetector(const async::Executor& executor, ZooKeeperAddress address, ZooKeeperTimes times);
  ~ZooKeeperDetector() override;

  async::Task<Result<std::optional<Master>>> detect(std::optional<Master> previous) override;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// The node of the leader among the `children` of the contenders' path; nothing when no master contends. Names that are
// no contender's ("log_replicas") do not count.
std::optional<std::string> leadingNode(const std::vector<std::string>& children);
// Who made the node `name` with `data`: JSON, a protobuf or a UPID, by its label. InvalidArgument for what is neither.
Result<Master> masterOfNode(const std::string& name, const std::string& data);

}  // namespace gantry::agent::master
