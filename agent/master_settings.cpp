#include "agent/master_settings.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "agent/resources/resources.hpp"
#include "agent/startup/own_address.hpp"
#include "agent/wire/agent_info.hpp"
#include "base/log.hpp"
#include "kernel/file.hpp"

namespace gantry::agent {
namespace {

constexpr std::size_t kCredentialLimit = 4096;

Result<master::Credential> readCredential(const std::string& path) {
  struct ::stat status{};
  if (::stat(path.c_str(), &status) == 0 && (status.st_mode & S_IRWXO) != 0) {
    log::warning("everybody on this host may read the credential", {{"file", path}});
  }
  TRY(const std::string text, kernel::readFile(path, kCredentialLimit));
  return master::parseCredential(text).under(fmt::format("'{}'", path));
}

// In whole seconds, as libcurl counts; 0 means never, as it does for mesos-agent.
std::chrono::seconds stallTimeout(async::Duration configured) {
  constexpr auto kNever = std::chrono::seconds(1'000'000'000);
  if (configured <= async::Duration(0)) return kNever;
  return std::min(std::chrono::ceil<std::chrono::seconds>(configured), kNever);
}

}  // namespace

Result<OwnAddress> ownAddress(const Config& config, const std::string& listening, std::uint16_t port) {
  OwnAddress address;
  if (config.advertiseIp) {
    address.ip = config.advertiseIp->text;
  } else {
    auto reachable = reachableAddress(listening);
    if (!reachable) return std::move(reachable).error().under("advertise_ip is not given");
    address.ip = *std::move(reachable);
  }
  address.port = config.advertisePort.number != 0 ? config.advertisePort.number : port;
  if (!config.hostname.empty()) {
    address.hostname = config.hostname;
  } else {
    address.hostname = config.hostnameLookup ? nameOfAddress(address.ip) : address.ip;
  }
  return address;
}

Result<master::LinkSettings> linkSettings(const Config& config) {
  master::LinkSettings settings;
  settings.registration.backoff = config.registrationBackoffFactor;
  settings.registration.authentication.shortest = config.authenticationTimeoutMin;
  settings.registration.authentication.longest = config.authenticationTimeoutMax;
  settings.registration.authentication.backoff = config.authenticationBackoffFactor;
  if (config.credential) {
    auto credential = readCredential(config.credential->text);
    if (!credential) return std::move(credential).error().under("credential");
    settings.registration.credential = *std::move(credential);
  }
  settings.tasks.bridgeNetwork = config.dockerBridgeNetwork;
  return settings;
}

tasks::TaskSettings taskSettings(const Config& config, const OwnAddress& address) {
  tasks::TaskSettings settings;
  settings.workDirectory = config.workDir.text;
  settings.ip = address.ip;
  settings.port = address.port;
  settings.environment = config.executorEnvironmentVariables.values;
  settings.switchUser = config.switchUser;
  settings.fetch.cache.directory =
      config.fetcherCacheDir ? config.fetcherCacheDir->text : config.workDir.text + "/fetch";
  settings.fetch.cache.size = config.fetcherCacheSize;
  settings.fetch.frameworksHome = config.frameworksHome;
  settings.fetch.stallTimeout = stallTimeout(config.fetcherStallTimeout);
  if (config.fetcherCaFile) settings.fetch.caFile = config.fetcherCaFile->text;
  settings.shutdownGrace = config.executorShutdownGracePeriod;
  settings.recoveryTimeout = config.recoveryTimeout;
  settings.completedTasks = config.maxCompletedExecutorsPerFramework.number;
  return settings;
}

Result<tasks::Message> describeAgent(const Config& config, const OwnAddress& address) {
  wire::AgentSettings settings;
  settings.hostname = address.hostname;
  settings.port = address.port;
  settings.resources = config.resources;
  settings.attributes = config.attributes;
  settings.defaultRole = config.defaultRole;
  settings.domain = config.domain.text;
  TRY(settings.host, resources::readHost(config.workDir.text));
  return wire::makeAgentInfo(settings);
}

Result<master::AgentRecord> recordToGoOnWith(const Config& config, const std::map<std::string, std::string>& facts,
                                             const tasks::Message& now, bool rebooted) {
  TRY(master::AgentRecord record, master::readAgentRecord(facts));
  if (record.id.empty()) return record;
  auto same = config.reconfigurationPolicy == ReconfigurationPolicy::Additive ? wire::checkAdditive(record.info, now)
                                                                              : wire::checkEqual(record.info, now);
  if (same) return record;
  if (!rebooted) {
    return Error(same.error().code(),
                 fmt::format("{}, and reconfiguration_policy does not allow that: put it back, allow more, or begin "
                             "anew with an empty work_dir",
                             same.error().message()));
  }
  log::warning("registering as a new agent: this one was rebooted and has changed",
               {{"agent", record.id}, {"difference", same.error()}});
  return master::AgentRecord();
}

}  // namespace gantry::agent
