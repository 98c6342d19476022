#include "isolators/namespaces/namespaces.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace gantry::isolators {
namespace {

// tmpfs rounds up to pages; below one page a size of 0 would mean "no limit".
constexpr Bytes kSmallestShm = Bytes::kibi(4);

// What sethostname(2) and RFC 1123 allow together: 64 bytes, letters, digits, hyphens and dots.
Result<void> checkHostname(const std::string& hostname) {
  const auto isAllowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_';
  };
  if (hostname.empty() || hostname.size() > 64) return Error::invalid("hostname", "must have 1 to 64 characters");
  if (!std::ranges::all_of(hostname, isAllowed) || hostname.front() == '-' || hostname.front() == '.') {
    return Error::invalid("hostname", fmt::format("'{}' is not a host name", hostname));
  }
  return {};
}

oci::Mount hostShm() {
  return {
      .destination = "/dev/shm", .type = "bind", .source = "/dev/shm", .options = {"bind", "rw", "nosuid", "nodev"}};
}

oci::Mount ownShm(Bytes size) {
  return {.destination = "/dev/shm",
          .type = "tmpfs",
          .source = "shm",
          .options = {"nosuid", "noexec", "nodev", "mode=1777", fmt::format("size={}", size.count)}};
}

}  // namespace

Result<void> NamespacesIsolator::check(const ContainerRequest& request) const {
  if (request.hostname) TRY_VOID(checkHostname(*request.hostname));
  if (request.security.sharePidNamespace && !settings_.allowHostPid) {
    return Error::invalid("security.share_pid_namespace", "the operator does not allow the host's pid namespace");
  }
  if (request.security.shareIpcNamespace && !settings_.allowHostIpc) {
    return Error::invalid("security.share_ipc_namespace", "the operator does not allow the host's ipc namespace");
  }
  if (request.shmSize && request.security.shareIpcNamespace) {
    return Error::invalid("shm_size", "cannot be set together with share_ipc_namespace: the host's /dev/shm is used");
  }
  if (request.shmSize && *request.shmSize < kSmallestShm) {
    return Error::invalid("shm_size", fmt::format("must be at least {}", toString(kSmallestShm)));
  }
  return {};
}

async::Task<Result<Contribution>> NamespacesIsolator::prepare(ContainerPtr container) {
  const ContainerRequest& request = container->request;
  Contribution contribution;
  contribution.namespaces = {{.type = "mount"}, {.type = "uts"}, {.type = "cgroup"}};
  if (!request.security.sharePidNamespace) contribution.namespaces.push_back({.type = "pid"});
  if (request.security.shareIpcNamespace) {
    contribution.mounts.push_back(hostShm());
  } else {
    contribution.namespaces.push_back({.type = "ipc"});
    contribution.mounts.push_back(ownShm(request.shmSize.value_or(settings_.defaultShmSize)));
  }
  co_return contribution;
}

async::Task<Result<void>> NamespacesIsolator::cleanup(ContainerPtr /*container*/) {
  co_return Result<void>();
}

}  // namespace gantry::isolators
