// A session with a ZooKeeper ensemble: libzookeeper-mt behind a few blocking calls. Reference: libprocess, 8.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "async/time.hpp"
#include "base/result.hpp"
#include "kernel/fd.hpp"

namespace gantry::agent::master {

// "zk://user:password@host1:port1,host2:port2/path", taken apart.
struct ZooKeeperAddress {
  std::string servers;      // "host1:port1,host2:port2"
  std::string credentials;  // "user:password" for the scheme "digest", or ""
  std::string path;         // absolute, never "/"

  bool operator==(const ZooKeeperAddress&) const = default;
};
// InvalidArgument names what is missing.
Result<ZooKeeperAddress> parseZooKeeperAddress(std::string_view text);

// The calls block, so they belong on a thread of a WorkerPool; one at a time. Opening and destroying block, too. Only
// condition() and changes() may be used at any time from any thread.
class ZooKeeperSession {
 public:
  // Begins to connect. The server may shorten or lengthen `timeout`, after which it forgets a client that is gone.
  static Result<std::unique_ptr<ZooKeeperSession>> open(const ZooKeeperAddress& address, async::Duration timeout);
  ZooKeeperSession(const ZooKeeperSession&) = delete;
  ZooKeeperSession& operator=(const ZooKeeperSession&) = delete;
  ~ZooKeeperSession();

  enum class Condition {
    Connecting,
    Connected,
    // Expired, or the credentials were refused. It does not get better: open another one.
    Over,
  };
  Condition condition() const;
  // Becomes readable when the condition, or children that were looked at, changed. For its one reader to take.
  kernel::Fd takeChanges();

  // The names of the nodes below `path`; from now on a change of them is told once. NotFound without such a node,
  // Unavailable while the connection is broken, PermissionDenied.
  Result<std::vector<std::string>> children(const std::string& path);
  Result<std::string> read(const std::string& path);
  // Makes the node `path`, and those above it; existing ones are fine.
  Result<void> create(const std::string& path);

 private:
  struct Handle;
  explicit ZooKeeperSession(std::unique_ptr<Handle> handle);

  std::unique_ptr<Handle> handle_;
};

}  // namespace gantry::agent::master
