// The pid, ipc, uts, mount and cgroup namespaces, and /dev/shm. The network namespace is isolators/network's.
#pragma once

#include "base/bytes.hpp"
#include "isolators/isolator.hpp"

namespace gantry::isolators {

struct NamespaceSettings {
  // /dev/shm of a container that does not ask for a size; Docker's default.
  Bytes defaultShmSize = Bytes::mebi(64);
  // Whether a container may have the host's pid or ipc namespace (Mesos' --disallow_sharing_agent_pid_namespace and
  // --disallow_sharing_agent_ipc_namespace).
  bool allowHostPid = true;
  bool allowHostIpc = true;
};

// Every container has its own mount, uts and cgroup namespace, and its own pid and ipc namespace unless it asks to
// share the host's. With a shared ipc namespace it has the host's /dev/shm too, so that named semaphores and POSIX
// shared memory agree with System V's. Makes nothing outside of the bundle.
class NamespacesIsolator final : public Isolator {
 public:
  explicit NamespacesIsolator(NamespaceSettings settings) : settings_(settings) {}

  std::string_view name() const override { return "namespaces"; }
  bool needsImage() const override { return false; }
  Result<void> check(const ContainerRequest& request) const override;
  async::Task<Result<Contribution>> prepare(ContainerPtr container) override;
  async::Task<Result<void>> cleanup(ContainerPtr container) override;

 private:
  const NamespaceSettings settings_;
};

}  // namespace gantry::isolators
