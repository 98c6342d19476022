#include "isolators/network/network.hpp"

#include <fcntl.h>

#include <set>

#include <fmt/format.h>

#include "kernel/file.hpp"
#include "network/etc_files.hpp"

namespace gantry::isolators {
namespace {

constexpr const char* kField = "network_infos";
// What systemd-resolved itself asks, where /etc/resolv.conf names only its stub.
constexpr const char* kUpstreamResolver = "/run/systemd/resolve/resolv.conf";

bool hasHostNetwork(const ContainerRequest& request) {
  return request.networks.empty() || request.networks.front().name == kHostNetwork;
}

network::PortMapping toNetwork(const PortMapping& mapping) {
  const bool udp = mapping.protocol == PortMapping::Protocol::Udp;
  return {mapping.hostPort, mapping.containerPort, udp ? network::Protocol::Udp : network::Protocol::Tcp};
}

PortMapping fromNetwork(const network::PortMapping& mapping) {
  const bool udp = mapping.protocol == network::Protocol::Udp;
  return {mapping.hostPort, mapping.containerPort, udp ? PortMapping::Protocol::Udp : PortMapping::Protocol::Tcp};
}

// The CNI networks; none for "host" and "none".
std::vector<network::Wanted> wantedBy(const ContainerRequest& request) {
  std::vector<network::Wanted> wanted;
  for (const NetworkAttachment& attachment : request.networks) {
    if (attachment.name == kHostNetwork || attachment.name == kNoNetwork) continue;
    network::Wanted entry{attachment.name, {}, attachment.labels};
    for (const PortMapping& mapping : attachment.portMappings) entry.portMappings.push_back(toNetwork(mapping));
    wanted.push_back(std::move(entry));
  }
  return wanted;
}

// Of the host; empty when there is none.
std::string hostFile(const char* path) {
  return kernel::readFile(path, std::size_t{1} << 20U).value_or("");
}

// Into the container's runtime directory, which is ours alone. It need not survive a reboot, so nothing is synced.
Result<void> writeFile(const std::string& path, std::string_view text) {
  TRY(const kernel::Fd file, kernel::open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0644));
  return kernel::writeAll(file, text).under(fmt::format("write '{}'", path));
}

struct EtcFiles {
  std::string hosts;
  std::string hostname;
  std::string resolver;
};

EtcFiles filesInHostNetwork(const ContainerRequest& request) {
  const std::string hostname = hostnameOf(request);
  // The host's loopback is the container's, so its nameservers can all be reached.
  return {network::hostsFileOfHost(hostFile("/etc/hosts"), hostname), network::hostnameFile(hostname),
          hostFile("/etc/resolv.conf")};
}

EtcFiles filesInOwnNetwork(const ContainerRequest& request, const network::Joined& joined) {
  const std::string hostname = hostnameOf(request);
  std::vector<std::string> addresses;
  for (const network::Attached& attached : joined.attached) {
    addresses.insert(addresses.end(), attached.addresses.begin(), attached.addresses.end());
  }
  std::string resolver = network::resolverFile(joined.dns);
  if (joined.dns.nameservers.empty() && !addresses.empty()) {
    resolver = network::resolverFile(hostFile("/etc/resolv.conf"), hostFile(kUpstreamResolver));
  }
  return {network::hostsFile(hostname, addresses), network::hostnameFile(hostname), std::move(resolver)};
}

Result<std::vector<oci::Mount>> mountsOf(const EtcFiles& files, const std::string& directory) {
  TRY_VOID(kernel::makeDirectories(directory, 0711));
  std::vector<oci::Mount> mounts;
  const std::pair<const char*, const std::string*> contents[] = {
      {"hosts", &files.hosts}, {"hostname", &files.hostname}, {"resolv.conf", &files.resolver}};
  for (const auto& [name, text] : contents) {
    oci::Mount mount;
    mount.source = fmt::format("{}/{}", directory, name);
    mount.destination = fmt::format("/etc/{}", name);
    mount.type = "bind";
    mount.options = {"bind", "rw", "nosuid", "nodev", "noexec", "rprivate"};
    TRY_VOID(writeFile(mount.source, *text));
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

}  // namespace

Result<void> NetworkIsolator::check(const ContainerRequest& request) const {
  std::set<std::string> names;
  for (std::size_t index = 0; index < request.networks.size(); ++index) {
    const NetworkAttachment& attachment = request.networks[index];
    const std::string entry = fmt::format("{}[{}]", kField, index);
    const bool reserved = attachment.name == kHostNetwork || attachment.name == kNoNetwork;
    if (reserved && request.networks.size() > 1) {
      return Error::invalid(entry + ".name", fmt::format("'{}' must be the only network", attachment.name));
    }
    if (reserved && !attachment.portMappings.empty()) {
      return Error::invalid(entry + ".port_mappings", fmt::format("network '{}' maps no ports", attachment.name));
    }
    if (!names.insert(attachment.name).second) {
      return Error::invalid(entry + ".name", fmt::format("network '{}' is named twice", attachment.name));
    }
  }
  return networks_.check(request.id.text(), wantedBy(request), kField);
}

std::vector<KernelObject> NetworkIsolator::plan(const Container& container) const {
  if (hasHostNetwork(container.request)) return {};
  return {{"netns", networks_.namespacePath(container.id().text())}};
}

async::Task<Result<Contribution>> NetworkIsolator::prepare(ContainerPtr container) {
  const ContainerRequest& request = container->request;
  Contribution contribution;
  if (hasHostNetwork(request)) {
    if (request.image) {
      const EtcFiles files = filesInHostNetwork(request);
      CO_TRY(contribution.mounts, mountsOf(files, container->runtimeDirectory));
    }
    co_return contribution;
  }
  std::string id = request.id.text();
  std::vector<network::Wanted> wanted = wantedBy(request);
  CO_TRY(const network::Joined joined, co_await networks_.join(std::move(id), std::move(wanted), kField));
  contribution.namespaces.push_back(oci::Namespace{"network", joined.namespacePath});
  const EtcFiles files = filesInOwnNetwork(request, joined);
  CO_TRY(contribution.mounts, mountsOf(files, container->runtimeDirectory));
  co_return contribution;
}

Result<void> NetworkIsolator::usage(const Container& container, Usage& into) {
  if (hasHostNetwork(container.request)) return {};
  TRY(const network::Counters counters, networks_.counters(container.id().text()));
  into.netRxBytes = counters.receivedBytes;
  into.netRxPackets = counters.receivedPackets;
  into.netRxErrors = counters.receivedErrors;
  into.netRxDropped = counters.receivedDropped;
  into.netTxBytes = counters.sentBytes;
  into.netTxPackets = counters.sentPackets;
  into.netTxErrors = counters.sentErrors;
  into.netTxDropped = counters.sentDropped;
  return {};
}

std::vector<NetworkStatus> NetworkIsolator::networks(const Container& container) const {
  const auto joined = networks_.joined(container.id().text());
  if (!joined) return {};
  std::vector<NetworkStatus> statuses;
  for (const network::Attached& attached : joined->attached) {
    NetworkStatus status{attached.network, attached.interface, attached.addresses, {}};
    for (const network::PortMapping& mapping : attached.portMappings) {
      status.portMappings.push_back(fromNetwork(mapping));
    }
    statuses.push_back(std::move(status));
  }
  return statuses;
}

async::Task<Result<void>> NetworkIsolator::cleanup(ContainerPtr container) {
  // Not asking the request: a left-over container is known by its id alone.
  std::string id = container->id().text();
  co_return co_await networks_.leave(std::move(id));
}

async::Task<Result<void>> NetworkIsolator::recover(ContainerPtr container) {
  if (hasHostNetwork(container->request)) co_return Result<void>();
  const auto joined = networks_.joined(container->id().text());
  if (!joined) co_return joined.error();
  co_return Result<void>();
}

std::vector<std::string> NetworkIsolator::leftovers() const {
  return networks_.containers();
}

}  // namespace gantry::isolators
