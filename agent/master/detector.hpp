// Who the leading master is. Reference: libprocess, 8.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "agent/master/upid.hpp"
#include "async/task.hpp"
#include "async/time.hpp"

namespace gantry::agent::master {

// A leading master as it announced itself; a value.
struct Master {
  Upid pid;
  // What `pid`'s address was looked up from; "" when it was given as it is.
  std::string name;
  std::string hostname;
  // "" where nobody said.
  std::string id;
  std::string version;
  // It takes back an agent whose resources or attributes changed (AGENT_UPDATE).
  bool updatesAgents = true;

  bool operator==(const Master&) const = default;
};

// Only used on the agent's thread. Outlives its pending detect().
class Detector {
 public:
  virtual ~Detector() = default;
  // Completes once the leader is another one than `previous`; nothing: there is none. Fails with Cancelled only.
  virtual async::Task<Result<std::optional<Master>>> detect(std::optional<Master> previous) = 0;
};

// `master` is "host:port" or "master@host:port", "zk://[user:pass@]host1:port1,…/path", or "file:///path" to a file
// with one of these. InvalidArgument names what is wrong.
Result<std::unique_ptr<Detector>> makeDetector(const async::Executor& executor, std::string_view master,
                                               async::Duration zkSessionTimeout);

}  // namespace gantry::agent::master
