// The network a container sees: the host's, none, or CNI networks with addresses of its own; and its /etc/hosts,
// /etc/resolv.conf and /etc/hostname.
#pragma once

#include "isolators/isolator.hpp"
#include "network/networks.hpp"

namespace gantry::isolators {

// The reserved network names.
inline constexpr std::string_view kHostNetwork = "host";
inline constexpr std::string_view kNoNetwork = "none";

// Contributes the network namespace (nothing for the host's) and bind mounts of the three files, which are kept in the
// container's runtime directory. The mounts are writable by root in the container, as with every engine, so that
// programs may edit them; changes end with the container. A container that has both the host's files and the host's
// network sees the host's own three.
class NetworkIsolator final : public Isolator {
 public:
  // `networks` is owned by the caller and outlives this.
  explicit NetworkIsolator(network::Networks& networks) : networks_(networks) {}

  std::string_view name() const override { return "network"; }
  bool needsImage() const override { return false; }
  // Refuses unknown networks, a network joined twice, "host" or "none" beside another, port mappings without a CNI
  // network, and host ports that somebody has; the message begins with "network_infos[n]".
  Result<void> check(const ContainerRequest& request) const override;
  std::vector<KernelObject> plan(const Container& container) const override;
  async::Task<Result<Contribution>> prepare(ContainerPtr container) override;
  // The net_* fields, from the container's own namespace; left unset for the host's.
  Result<void> usage(const Container& container, Usage& into) override;
  std::vector<NetworkStatus> networks(const Container& container) const override;
  async::Task<Result<void>> cleanup(ContainerPtr container) override;
  // NotFound when a container that had joined networks has no record of them any more.
  async::Task<Result<void>> recover(ContainerPtr container) override;
  std::vector<std::string> leftovers() const override;

 private:
  network::Networks& networks_;
};

}  // namespace gantry::isolators
