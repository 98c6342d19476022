#include "network/networks.hpp"

#include <map>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "async/scope.hpp"
#include "async/time.hpp"
#include "base/log.hpp"
#include "kernel/file.hpp"
#include "kernel/net_namespace.hpp"
#include "network/bridge.hpp"
#include "network/bridge_keeper.hpp"
#include "network/cni.hpp"
#include "network/config.hpp"
#include "network/counters.hpp"
#include "network/iptables.hpp"
#include "network/record.hpp"

namespace gantry::network {
namespace {

constexpr const char* kRecordSuffix = ".json";

class CniNetworks final : public Networks {
 public:
  CniNetworks(async::Executor executor, async::WorkerPool& pool, Settings settings, Subnet subnet)
      : pool_(pool),
        settings_(std::move(settings)),
        cni_(settings_.pluginPath, settings_.pluginTimeout),
        ports_(hostPorts_),
        bridge_(executor, pool_, {subnet, settings_.bridgeInterface, settings_.runtimeDirectory + "/cni/addresses"}),
        background_(executor) {}

  Result<void> load();

  Result<void> check(const std::string& container, const std::vector<Wanted>& wanted,
                     const std::string& field) override {
    TRY_VOID(plan(container, wanted, field));
    return {};
  }
  async::Task<Result<Joined>> join(std::string container, std::vector<Wanted> wanted, std::string field) override;
  async::Task<Result<void>> leave(std::string container) override;
  std::string namespacePath(const std::string& container) const override {
    return fmt::format("{}/netns/{}", settings_.runtimeDirectory, container);
  }
  Result<Joined> joined(const std::string& container) const override;
  Result<Counters> counters(const std::string& container) const override;
  std::vector<std::string> containers() const override;
  async::Task<> close() override;

 private:
  std::string recordPath(const std::string& container) const {
    return fmt::format("{}/cni/{}{}", settings_.runtimeDirectory, container, kRecordSuffix);
  }
  Result<void> write(const Record& record) const;
  bool usesBridge() const;

  Result<NetworkConfig> find(const std::string& name, const Catalogue& operators) const;
  Result<NetworkConfig> usable(const Wanted& wanted, const Catalogue& operators) const;
  Result<std::vector<CniAttachment>> plan(const std::string& container, const std::vector<Wanted>& wanted,
                                          const std::string& field) const;
  async::Task<> lookAtHost();
  async::Task<> lowerBridgeLater();
  async::Task<> lowerBridge();
  async::Task<Result<void>> make(std::string container, std::vector<CniAttachment> attachments);
  async::Task<Result<void>> undo(Record record);
  Result<Joined> describe(const Record& record) const;

  async::WorkerPool& pool_;
  const Settings settings_;
  const KernelHostPorts hostPorts_;
  Cni cni_;
  PortTable ports_;
  BridgeKeeper bridge_;
  std::map<std::string, Record> records_;
  std::optional<Iptables> iptables_;
  async::Scope background_;
  bool lowering_ = false;
};

// --- records

Result<void> CniNetworks::load() {
  for (const char* name : {"netns", "cni", "cni/addresses"}) {
    TRY_VOID(kernel::makeDirectories(fmt::format("{}/{}", settings_.runtimeDirectory, name), 0711));
  }
  const std::string directory = fmt::format("{}/cni", settings_.runtimeDirectory);
  TRY(const std::vector<std::string> names, kernel::listDirectory(directory));
  for (const std::string& name : names) {
    if (!name.ends_with(kRecordSuffix)) continue;
    const auto text = kernel::readFile(fmt::format("{}/{}", directory, name));
    auto record = text ? parseRecord(*text) : Result<Record>(text.error());
    if (!record) {
      log::warning("ignoring a network record", {{"file", name}, {"error", record.error()}});
      continue;
    }
    for (const CniAttachment& attachment : record->attachments) {
      ports_.restore(record->container, attachment.portMappings);
    }
    records_.insert_or_assign(record->container, *record);
  }
  background_.spawn(lowerBridgeLater());
  return {};
}

Result<void> CniNetworks::write(const Record& record) const {
  return kernel::replaceVolatileFile(recordPath(record.container), formatRecord(record));
}

bool CniNetworks::usesBridge() const {
  for (const auto& [container, record] : records_) {
    for (const CniAttachment& attachment : record.attachments) {
      if (attachment.network == bridge_.network()) return true;
    }
  }
  return false;
}

// --- what can be joined

Result<NetworkConfig> CniNetworks::find(const std::string& name, const Catalogue& operators) const {
  TRY_VOID(checkNetworkName(name));
  auto found = operators.find(name);
  if (found || name != kDefaultNetwork) return found;
  const auto routes = kernel::readFile("/proc/net/route");
  if (routes) TRY_VOID(checkClash(bridge_.subnet(), *routes, settings_.bridgeInterface));
  return bridge_.network();
}

Result<NetworkConfig> CniNetworks::usable(const Wanted& wanted, const Catalogue& operators) const {
  TRY(NetworkConfig network, find(wanted.network, operators));
  for (const PluginConfig& plugin : network.plugins) {
    TRY_VOID(cni_.locate(plugin.type).under(fmt::format("network '{}'", network.name)));
  }
  return network;
}

Result<std::vector<CniAttachment>> CniNetworks::plan(const std::string& container, const std::vector<Wanted>& wanted,
                                                     const std::string& field) const {
  Catalogue operators;
  if (!settings_.configDirectory.empty()) {
    TRY(operators, loadNetworks(settings_.configDirectory));
  }
  std::vector<CniAttachment> attachments;
  // A copy, so that what one network gets is taken for the next one.
  PortTable ports = ports_;
  std::set<std::pair<Protocol, std::uint16_t>> hostPorts;
  for (std::size_t index = 0; index < wanted.size(); ++index) {
    const std::string entry = fmt::format("{}[{}]", field, index);
    CniAttachment attachment;
    auto network = usable(wanted[index], operators);
    // Whatever the reason, it is the request that names a network which this host does not have.
    if (!network) return Error(Code::InvalidArgument, fmt::format("{}.name: {}", entry, network.error().message()));
    attachment.requested = wanted[index].network;
    attachment.labels = wanted[index].labels;
    attachment.network = *std::move(network);
    attachment.containerId = cniContainerId(container);
    attachment.interface = fmt::format("eth{}", index);
    const std::string portField = entry + ".port_mappings";
    if (!wanted[index].portMappings.empty() && !attachment.network.hasCapability("portMappings")) {
      return Error::invalid(portField, fmt::format("network '{}' cannot map ports: no plug-in of it has the capability "
                                                   "'portMappings'",
                                                   attachment.requested));
    }
    TRY(attachment.portMappings, ports.take(container, wanted[index].portMappings, portField));
    for (const PortMapping& mapping : attachment.portMappings) {
      if (hostPorts.emplace(mapping.protocol, mapping.hostPort).second) continue;
      return Error::invalid(
          portField, fmt::format("{}/{} is mapped on two networks", mapping.hostPort, toString(mapping.protocol)));
    }
    attachments.push_back(std::move(attachment));
  }
  return attachments;
}

// --- joining

// Once in the agent's life. Networks that need no iptables work without one, and the plug-ins of the others say so.
async::Task<> CniNetworks::lookAtHost() {
  if (iptables_) co_return;
  std::string directory = fmt::format("{}/cni/bin", settings_.runtimeDirectory);
  auto found = co_await findIptables(std::move(directory));
  if (!found) {
    log::warning("ports cannot be mapped", {{"error", found.error()}});
    co_return;
  }
  iptables_ = *std::move(found);
  cni_.setSearchPath(iptables_->searchPath);
}

// At most one of these waits at a time.
async::Task<> CniNetworks::lowerBridgeLater() {
  if (lowering_) co_return;
  lowering_ = true;
  const auto slept = co_await async::sleep(settings_.bridgeGrace);
  lowering_ = false;
  if (!slept) co_return;
  co_await lowerBridge();
}

// Nothing is awaited between the question and the answer, so that nobody joins in between.
async::Task<> CniNetworks::lowerBridge() {
  if (!bridge_.isUp()) co_return;
  co_await lookAtHost();
  if (usesBridge()) co_return;
  const auto lowered = co_await bridge_.lower(iptables_);
  if (!lowered) log::warning("default bridge left behind", {{"error", lowered.error()}});
}

async::Task<> CniNetworks::close() {
  background_.cancel();
  co_await background_.join();
  co_await lowerBridge();
}

async::Task<Result<Joined>> CniNetworks::join(std::string container, std::vector<Wanted> wanted, std::string field) {
  const auto before = records_.find(container);
  if (before != records_.end()) {
    if (before->second.complete && kernel::isNetNamespace(namespacePath(container))) co_return describe(before->second);
    CO_TRY_VOID(co_await leave(container));
  }
  if (!wanted.empty()) co_await lookAtHost();
  // Nothing is awaited between planning and the record, so that no other container takes what was planned.
  CO_TRY(std::vector<CniAttachment> attachments, plan(container, wanted, field));
  for (const CniAttachment& attachment : attachments) ports_.restore(container, attachment.portMappings);
  records_.insert_or_assign(container, Record{container, {}, false});

  auto made = co_await make(container, std::move(attachments));
  if (made) co_return describe(records_.at(container));
  auto leaving = leave(container);
  const auto left = co_await async::shield(std::move(leaving));
  if (!left) log::warning("network left behind", {{"container", container}, {"error", left.error()}});
  co_return std::move(made).error();
}

async::Task<Result<void>> CniNetworks::make(std::string container, std::vector<CniAttachment> attachments) {
  CO_TRY_VOID(write(records_.at(container)));
  const std::string path = namespacePath(container);
  auto creating = [path] {
    // One that a crash left behind has no record, and nothing of ours in it.
    ignore(kernel::removeNetNamespace(path), "making it says what is wrong");
    return kernel::createNetNamespace(path);
  };
  CO_TRY_VOID(co_await pool_.run(std::move(creating)));
  for (CniAttachment& attachment : attachments) {
    records_.at(container).attachments.push_back(attachment);
    CO_TRY_VOID(write(records_.at(container)));
    if (attachment.network == bridge_.network()) CO_TRY_VOID(co_await bridge_.raise(iptables_));
    CO_TRY(std::string result, co_await cni_.add(attachment, path));
    CO_TRY_VOID(parseCniResult(result).under(fmt::format("network '{}'", attachment.network.name)));
    records_.at(container).attachments.back().result = std::move(result);
  }
  Record& record = records_.at(container);
  record.complete = true;
  co_return write(record);
}

async::Task<Result<void>> CniNetworks::leave(std::string container) {
  const auto found = records_.find(container);
  if (found == records_.end() && !kernel::exists(namespacePath(container))) co_return Result<void>();
  Record record = found == records_.end() ? Record{container, {}, false} : found->second;
  CO_TRY_VOID(co_await undo(std::move(record)));
  auto removed = kernel::unlink(recordPath(container));
  if (!removed && removed.error().code() != Code::NotFound) co_return removed;
  records_.erase(container);
  ports_.release(container);
  if (!usesBridge() && bridge_.isUp()) background_.spawn(lowerBridgeLater());
  co_return Result<void>();
}

async::Task<Result<void>> CniNetworks::undo(Record record) {
  const std::string path = namespacePath(record.container);
  const std::string given = kernel::isNetNamespace(path) ? path : "";
  if (!record.attachments.empty()) co_await lookAtHost();
  Result<void> outcome;
  for (auto attachment = record.attachments.rbegin(); attachment != record.attachments.rend(); ++attachment) {
    const auto gone = co_await cni_.del(*attachment, given);
    if (!gone && outcome) outcome = gone.error();
  }
  // Its interfaces go with it, whatever the plug-ins said.
  auto removing = [path] { return kernel::removeNetNamespace(path); };
  const auto removed = co_await pool_.run(std::move(removing));
  co_return outcome ? removed : outcome;
}

// --- what was made

Result<Joined> CniNetworks::describe(const Record& record) const {
  Joined joined;
  joined.namespacePath = namespacePath(record.container);
  for (const CniAttachment& attachment : record.attachments) {
    TRY(CniResult result, parseCniResult(attachment.result));
    joined.attached.push_back(
        {attachment.requested, attachment.interface, std::move(result.addresses), attachment.portMappings});
    if (joined.dns.nameservers.empty()) joined.dns = std::move(result.dns);
  }
  return joined;
}

Result<Joined> CniNetworks::joined(const std::string& container) const {
  const auto found = records_.find(container);
  if (found == records_.end() || !found->second.complete) {
    return Error(Code::NotFound, fmt::format("container '{}' has joined no network", container));
  }
  return describe(found->second);
}

std::vector<std::string> CniNetworks::containers() const {
  std::set<std::string> found;
  for (const auto& [container, record] : records_) found.insert(container);
  auto kept = kernel::listDirectory(settings_.runtimeDirectory + "/netns");
  if (kept) found.insert(kept->begin(), kept->end());
  return {found.begin(), found.end()};
}

Result<Counters> CniNetworks::counters(const std::string& container) const {
  std::string text;
  TRY_VOID(kernel::inNetNamespace(namespacePath(container), [&text]() -> Result<void> {
    TRY(text, kernel::readFile("/proc/thread-self/net/dev"));
    return {};
  }));
  return parseCounters(text);
}

}  // namespace

Result<std::unique_ptr<Networks>> Networks::open(async::Executor executor, async::WorkerPool& pool, Settings settings) {
  TRY(const Subnet subnet, parseSubnet(settings.bridgeSubnet).under("bridge_subnet"));
  auto networks = std::make_unique<CniNetworks>(std::move(executor), pool, std::move(settings), subnet);
  TRY_VOID(networks->load());
  return std::unique_ptr<Networks>(std::move(networks));
}

}  // namespace gantry::network
