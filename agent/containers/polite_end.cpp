// How a container is asked to end: every process of it, as mesos-executor asks its task's process tree.
#include <csignal>

#include <algorithm>
#include <utility>
#include <vector>

#include "agent/containers/container_life.hpp"
#include "async/process.hpp"
#include "base/log.hpp"

namespace gantry::agent {
namespace {

using kernel::Disposition;

// The first process of a namespace of its own: the kernel gives it only those signals that it has a handler for
// (pid_namespaces(7)) or blocks, and SIGKILL and SIGSTOP from outside.
bool dropsSigterm(const isolators::Container& container, pid_t init) {
  if (container.request.security.sharePidNamespace) return false;
  const auto disposition = kernel::dispositionOf(init, SIGTERM);
  return disposition && *disposition == Disposition::Default;
}

}  // namespace

Result<void> ContainerLife::askToEnd() {
  const bool runs = launchScope_ == nullptr && phase_ == Phase::Running;
  if (!runs) return kill(SIGTERM);
  signal_ = SIGTERM;
  if (std::exchange(askedToEnd_, true)) return {};
  if (watches_ != nullptr) watches_->spawn(endAfterOthers());
  return {};
}

// A first process that would have died of the signal is stopped, so that a shell does not go on with its next command
// when its child is gone, and killed as soon as it is the last one. Those that do not end are for whoever asked to
// kill.
async::Task<> ContainerLife::endAfterOthers() {
  const bool isDropped = dropsSigterm(*container_, init_.pid);
  if (isDropped) {
    ignore(process_.signal(SIGSTOP), "it has ended");
  } else {
    ignore(process_.signal(SIGTERM), "it has ended");
  }
  for (std::vector<kernel::Process> others = askOthers(); !others.empty(); others = askOthers()) {
    for (const kernel::Process& other : others) {
      const auto ended = co_await async::ended(other);
      if (!ended && ended.error().code() == Code::Cancelled) co_return;
    }
  }
  if (!isDropped) co_return;
  endedForSigterm_ = true;
  ignore(process_.signal(SIGKILL), "it has ended");
}

// SIGTERM for all but the first process. A pid that is still in the container after it was opened was no other's when
// it was.
std::vector<kernel::Process> ContainerLife::askOthers() const {
  std::vector<kernel::Process> others;
  for (const pid_t pid : parts_.isolators.processes(*container_)) {
    if (pid == init_.pid || !kernel::isRunning(pid)) continue;
    auto process = kernel::Process::open(pid);
    if (process) others.push_back(*std::move(process));
  }
  const std::vector<pid_t> still = parts_.isolators.processes(*container_);
  std::erase_if(others, [&](const kernel::Process& other) {
    return std::ranges::find(still, other.pid()) == still.end() || !other.signal(SIGTERM);
  });
  return others;
}

}  // namespace gantry::agent
