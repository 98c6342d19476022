#include "agent/master/static_detector.hpp"

#include <algorithm>

#include "async/socket.hpp"
#include "base/log.hpp"

namespace gantry::agent::master {

using async::Task;

namespace {

// libprocess speaks IPv4; where a name has nothing else the first address will do.
std::string preferred(const std::vector<std::string>& addresses) {
  const auto v4 = std::find_if(addresses.begin(), addresses.end(),
                               [](const std::string& address) { return address.find(':') == std::string::npos; });
  return v4 == addresses.end() ? addresses.front() : *v4;
}

Task<Result<std::optional<Master>>> detectMaster(Upid pid, async::Duration pause, std::optional<Master> previous) {
  if (previous) {
    co_await async::never();
    co_return Error(Code::Cancelled, "cancelled");
  }
  while (true) {
    const auto addresses = co_await async::lookUp(pid.address.host);
    if (addresses) {
      Master master;
      master.hostname = pid.address.host;
      master.pid = std::move(pid);
      master.pid.address.host = preferred(*addresses);
      if (master.pid.address.host != master.hostname) master.name = master.hostname;
      co_return std::optional<Master>(std::move(master));
    }
    if (addresses.error().code() == Code::Cancelled) co_return addresses.error();
    log::warning("cannot find the master, trying again", {{"reason", addresses.error()}});
    CO_TRY_VOID(co_await async::sleep(pause));
  }
}

}  // namespace

StaticDetector::StaticDetector(Upid master, async::Duration pause) : master_(std::move(master)), pause_(pause) {}

Task<Result<std::optional<Master>>> StaticDetector::detect(std::optional<Master> previous) {
  return detectMaster(master_, pause_, std::move(previous));
}

}  // namespace gantry::agent::master
