// gantry-agent: builds everything in order and hands it down. Nothing else knows all the concrete classes.
//
//   state.db ─▶ store ─┐
//   fetcher ─▶ images ─┤                 ┌─▶ tasks ◀── link ◀── messenger, detector: --master
//   networks ─▶ isolators ─┼─▶ engine ─┼─▶ api ─▶ server: --ip:--port and <runtime_dir>/agent.sock
//   runtime, monitors ─┘                 └─▶ metrics
#include <sys/stat.h>
#include <csignal>
#include <cstdio>

#include <fmt/format.h>

#include "agent/api/api.hpp"
#include "agent/config/load.hpp"
#include "agent/containers/engine.hpp"
#include "agent/images/node_images.hpp"
#include "agent/images/unused.hpp"
#include "agent/master/link.hpp"
#include "agent/master/tls.hpp"
#include "agent/master_settings.hpp"
#include "agent/metrics/agent_metrics.hpp"
#include "agent/startup/own_address.hpp"
#include "agent/startup/startup.hpp"
#include "agent/state/database.hpp"
#include "agent/state/store.hpp"
#include "agent/tasks/task_manager.hpp"
#include "async/run.hpp"
#include "base/log.hpp"
#include "fetcher/uris.hpp"
#include "http/server.hpp"
#include "isolators/cgroups/cgroups.hpp"
#include "isolators/filesystem/filesystem.hpp"
#include "isolators/namespaces/namespaces.hpp"
#include "isolators/network/network.hpp"
#include "isolators/security/security.hpp"
#include "isolators/volumes/volumes.hpp"
#include "kernel/file.hpp"
#include "kernel/process.hpp"
#include "network/networks.hpp"

extern char** environ;

namespace gantry::agent {
namespace {

using namespace std::chrono_literals;

// How long running requests may go on when the agent stops. Most of them wait for a container, and would for ever.
constexpr async::Duration kGrace = 1s;
// How long messages to the master may take to leave when the agent stops.
constexpr async::Duration kLastWords = 2s;
// Between two looks for layers that no image and no container needs.
constexpr async::Duration kPruneInterval = 1h;

struct Programs {
  std::string runtime;
  std::string monitor;
  std::string fetcher;
};

Result<Programs> findPrograms(const Config& config) {
  const auto text = [](const std::optional<Path>& path) {
    return path ? std::optional<std::string>(path->text) : std::nullopt;
  };
  Programs programs;
  auto runtime = findProgram(text(config.runtime), "gantry-runtime");
  if (!runtime) return std::move(runtime).error().under("runtime");
  auto monitor = findProgram(text(config.monitor), "gantry-monitor");
  if (!monitor) return std::move(monitor).error().under("monitor");
  auto fetcher = findProgram(text(config.fetcher), "gantry-fetcher");
  if (!fetcher) return std::move(fetcher).error().under("fetcher");
  return Programs{*std::move(runtime), *std::move(monitor), *std::move(fetcher)};
}

Result<fetcher::PullRequest> pullTemplate(const Config& config) {
  auto registry = parseRegistry(config.dockerRegistry);
  if (!registry) return std::move(registry).error().under("docker_registry");
  fetcher::PullRequest request;
  request.store = config.workDir.text + "/images";
  request.insecureHosts = config.insecureRegistries;
  request.defaultRegistry = registry->host;
  if (config.fetcherCaFile) request.caFile = config.fetcherCaFile->text;
  if (registry->insecure) request.insecureHosts.push_back(registry->host);
  return request;
}

network::Settings networkSettings(const Config& config) {
  network::Settings settings;
  settings.pluginPath = config.networkCniPluginsDir;
  settings.configDirectory = config.networkCniConfigDir ? config.networkCniConfigDir->text : "";
  settings.runtimeDirectory = config.runtimeDir.text;
  settings.bridgeSubnet = config.bridgeSubnet.text;
  settings.bridgeInterface = config.bridgeName;
  return settings;
}

EngineSettings engineSettings(const Config& config, const Programs& programs) {
  EngineSettings settings;
  settings.workDirectory = config.workDir.text;
  settings.runtimeDirectory = config.runtimeDir.text;
  settings.cgroupsRoot = config.cgroupsRoot;
  settings.sandboxDirectory = config.sandboxDirectory.text;
  settings.monitorProgram = programs.monitor;
  settings.runtimeProgram = programs.runtime;
  settings.runtimeRoot = config.runtimeDir.text + "/runtime";
  settings.logSize = config.containerLogSize;
  settings.logFiles = static_cast<std::uint32_t>(config.containerLogFiles.number);
  return settings;
}

// What this host offers to isolators.
struct Host {
  isolators::CgroupHost cgroups;
  isolators::SecurityHost security;
};

Result<Host> detectHost() {
  TRY(isolators::CgroupHost cgroups, isolators::CgroupHost::detect());
  TRY(isolators::SecurityHost security, isolators::SecurityHost::detect());
  return Host{std::move(cgroups), std::move(security)};
}

// The isolators, in the order in which they prepare a container; they clean up in reverse. Of two mounts at one place
// the later one counts: what the request says stands behind what we do by ourselves.
std::vector<std::unique_ptr<isolators::Isolator>> makeIsolators(const Config& config, const Host& host,
                                                                async::WorkerPool& pool, network::Networks& networks) {
  isolators::CgroupSettings cgroupSettings;
  cgroupSettings.root = config.cgroupsRoot;
  cgroupSettings.defaultPids = config.defaultPidsLimit.number;
  cgroupSettings.capCpus = config.cgroupsEnableCfs;
  isolators::NamespaceSettings namespaceSettings;
  namespaceSettings.defaultShmSize = config.defaultContainerShmSize;
  namespaceSettings.allowHostPid = !config.disallowSharingAgentPidNamespace;
  namespaceSettings.allowHostIpc = !config.disallowSharingAgentIpcNamespace;
  isolators::SecuritySettings securitySettings;
  if (config.effectiveCapabilities) securitySettings.effectiveCapabilities = config.effectiveCapabilities->names;
  if (config.boundingCapabilities) securitySettings.boundingCapabilities = config.boundingCapabilities->names;

  std::vector<std::unique_ptr<isolators::Isolator>> list;
  list.push_back(std::make_unique<isolators::FilesystemIsolator>(config.sandboxDirectory.text,
                                                                 config.runtimeDir.text + "/containers", pool));
  list.push_back(std::make_unique<isolators::NamespacesIsolator>(namespaceSettings));
  list.push_back(std::make_unique<isolators::NetworkIsolator>(networks));
  std::vector<std::string> created;
  for (const Path& path : config.hostPathVolumeForceCreation) created.push_back(path.text);
  list.push_back(std::make_unique<isolators::VolumesIsolator>(config.sandboxDirectory.text, std::move(created)));
  list.push_back(std::make_unique<isolators::CgroupsIsolator>(host.cgroups, std::move(cgroupSettings)));
  auto security = std::make_unique<isolators::SecurityIsolator>(host.security, std::move(securitySettings));
  if (const auto withheld = security->withheld(); !withheld.empty()) {
    log::warning("containers go without capabilities that this agent lacks",
                 {{"capabilities", fmt::format("{}", fmt::join(withheld, ","))}});
  }
  list.push_back(std::move(security));
  return list;
}

// What the endpoints show of us; without a master there is little to show.
api::AgentFacts agentFacts(const OwnAddress& address, const master::MasterLink* link,
                           tasks::Clock::time_point started) {
  api::AgentFacts facts;
  facts.started = started;
  facts.ip = address.ip;
  facts.hostname = address.hostname;
  if (link == nullptr) return facts;
  master::LinkFacts known = link->facts();
  facts.id = std::move(known.id);
  facts.pid = std::move(known.pid);
  facts.registered = known.registered;
  facts.masterHostname = std::move(known.masterHostname);
  facts.capabilities = std::move(known.capabilities);
  facts.info = std::move(known.info);
  facts.checkpointedResources = std::move(known.checkpointedResources);
  return facts;
}

api::Settings apiSettings(const Loaded& loaded, const Registry& registry) {
  api::Settings settings;
  settings.flags = flagsInForce(loaded);
  if (loaded.config.externalLogFile) settings.externalLogFile = loaded.config.externalLogFile->text;
  settings.disabledPaths = loaded.config.firewallRules.disabledPaths;
  settings.heartbeat = loaded.config.httpHeartbeatInterval;
  settings.metrics = [&registry] { return registry.text(); };
  return settings;
}

Result<void> prepareDirectories(const Config& config) {
  for (const Path& directory : {config.workDir, config.runtimeDir}) {
    TRY_VOID(kernel::makeDirectories(directory.text, 0711));
  }
  return {};
}

// Of the environment.
std::optional<std::string> variable(const std::string& name) {
  const char* const value = ::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

// Whether this host went down since the database was written.
bool wasRebooted(const std::map<std::string, std::string>& facts) {
  const auto before = facts.find("boot_id");
  const auto now = kernel::bootId();
  return before != facts.end() && now && before->second != *now;
}

// LIBPROCESS_REQUIRE_PEER_ADDRESS_IP_MATCH, which is no flag of mesos-agent.
bool peerMatchIsRequired() {
  const auto value = variable("LIBPROCESS_REQUIRE_PEER_ADDRESS_IP_MATCH");
  return value == "true" || value == "1";
}

// LIBPROCESS_SSL_*; nothing when TLS is off.
Result<std::optional<master::Tls>> loadTls() {
  TRY(master::TlsSettings settings, master::readTlsSettings(variable));
  if (!settings.enabled) return std::optional<master::Tls>();
  TRY(master::Tls tls, master::Tls::make(std::move(settings)));
  return std::optional<master::Tls>(std::move(tls));
}

// What the server and the messenger do with connections, out of one place: with TLS or without.
http::Server::Secure accepting(const std::optional<master::Tls>& tls) {
  if (!tls) return {};
  return [tls = *tls](async::StreamPtr plain) { return tls.accept(std::move(plain)); };
}
master::Connect connecting(const std::optional<master::Tls>& tls) {
  if (!tls) return master::plainConnect();
  return [tls = *tls](master::Address to, std::string name) { return tls.connect(std::move(to), std::move(name)); };
}

struct Listeners {
  async::Listener tcp;
  async::Listener local;
};

Result<Listeners> listen(const async::Executor& executor, const Config& config, const std::string& ip) {
  auto tcp = async::Listener::onTcp(executor, ip, config.port.number);
  if (!tcp) return std::move(tcp).error().under("port");
  const std::string socket = config.runtimeDir.text + "/agent.sock";
  auto local = async::Listener::onUnix(executor, socket, 0600);
  if (!local) return std::move(local).error().under("runtime_dir");
  log::info("listening", {{"ip", ip}, {"port", tcp->port()}, {"socket", socket}});
  return Listeners{*std::move(tcp), *std::move(local)};
}

// --ip, or what the operator's command says it is.
Result<std::string> listeningAddress(async::Loop& loop, const Config& config) {
  if (config.ipDiscoveryCommand.empty()) return listenAddress(config).text;
  return async::runUntilDone(loop, discoverAddress(config.ipDiscoveryCommand)).under("ip_discovery_command");
}

// What the link to a master will be made of.
struct MasterPlan {
  std::unique_ptr<master::Detector> detector;
  master::LinkSettings settings;
  master::AgentRecord record;
  tasks::Message agent;
};

// Nothing without a --master.
Result<std::optional<MasterPlan>> planMaster(const async::Executor& executor, const Config& config,
                                             const OwnAddress& address,
                                             const std::map<std::string, std::string>& facts) {
  if (config.master.empty()) return std::optional<MasterPlan>();
  auto detector = master::makeDetector(executor, config.master, config.zkSessionTimeout);
  if (!detector) return std::move(detector).error().under("master");
  TRY(master::LinkSettings settings, linkSettings(config));
  TRY(tasks::Message agent, describeAgent(config, address));
  TRY(master::AgentRecord record, recordToGoOnWith(config, facts, agent, wasRebooted(facts)));
  return std::optional<MasterPlan>({*std::move(detector), std::move(settings), std::move(record), std::move(agent)});
}

// What the coroutines below use; everything outlives them.
struct Running {
  async::Executor executor;
  std::function<Result<Loaded>()> loadAgain;
  const ServiceManager& serviceManager;
  const async::Signals& signals;
  const Config& config;
  Engine& engine;
  tasks::Tasks& tasks;
  NodeImages& images;
  network::Networks& networks;
  api::Api& api;
  http::Server& server;
  master::Messenger& messenger;
  master::MasterLink* link;  // null: standalone
  // How long it took to take up what an earlier agent left.
  std::optional<std::chrono::nanoseconds>& recovery;
};

async::Task<Result<ImageStore::Pruned>> pruneOnce(const Running* running) {
  CO_TRY(std::set<std::string> inUse, running->engine.layersInUse());
  co_return co_await running->images.prune(std::move(inUse));
}

// PRUNE_IMAGES: the images that no container uses, and what only they needed.
async::Task<Result<void>> pruneUnused(Engine* engine, NodeImages* images, std::string registry,
                                      std::vector<std::string> excluded) {
  CO_TRY(std::set<std::string> inUse, engine->layersInUse());
  CO_TRY_VOID(forgetUnused(*images, inUse, excluded, registry));
  CO_TRY_VOID(co_await images->prune(std::move(inUse)));
  co_return Result<void>();
}

async::Task<> pruneImages(const Running* running) {
  while (true) {
    const auto pruned = co_await pruneOnce(running);
    if (pruned && pruned->layers + pruned->blobs > 0) {
      log::info("deleted what no image needs", {{"layers", pruned->layers}, {"blobs", pruned->blobs}});
    } else if (!pruned && pruned.error().code() != Code::Busy && pruned.error().code() != Code::Cancelled) {
      log::warning("unneeded layers stay for now", {{"reason", pruned.error()}});
    }
    const auto slept = co_await async::sleep(kPruneInterval);
    if (!slept) co_return;
  }
}

// The log level is what can change while we run.
void reload(const Running& running) {
  running.serviceManager.reloading();
  const auto loaded = running.loadAgain();
  if (loaded) {
    log::setLevel(loaded->config.loggingLevel);
    log::info("took the log level from the configuration; other changes wait for a restart", {});
  } else {
    log::error("the configuration stays as it was", {{"reason", loaded.error()}});
  }
  running.serviceManager.ready("Serving");
}

// Until SIGTERM or SIGINT; SIGUSR1 takes leave of the master, which ends the link.
async::Task<> watchSignals(const Running* running, async::Event stop) {
  while (true) {
    const auto signal = co_await running->signals.next();
    if (!signal) co_return;
    if (*signal == SIGHUP) {
      reload(*running);
    } else if (*signal == SIGUSR1) {
      if (running->link != nullptr) running->link->unregister();
    } else {
      log::info("stopping, containers go on", {{"signal", *signal}});
      stop.set();
      co_return;
    }
  }
}

// Until there is nothing left to do for the master: it shut us down, or the operator did, and all tasks have ended.
async::Task<Result<void>> serveMaster(const Running* running) {
  if (running->config.recover == Recover::Cleanup) {
    log::info("ending what an earlier agent left", {});
    running->tasks.shutdown();
  } else {
    CO_TRY_VOID(co_await running->link->run());
  }
  CO_TRY_VOID(co_await running->tasks.untilEmpty());
  log::info("no task is left, the agent ends", {});
  co_return co_await running->link->forget();
}

async::Task<> serveMasterUntilEnd(const Running* running, async::Event stop, Result<void>* outcome) {
  auto served = co_await serveMaster(running);
  if (!served && served.error().code() == Code::Cancelled) co_return;
  *outcome = std::move(served).under("master");
  stop.set();
}

async::Task<Result<void>> recoverAll(const Running* running, state::Contents contents, bool rebuild) {
  state::Contents forTasks = contents;
  CO_TRY_VOID(co_await running->engine.recover(std::move(contents), rebuild));
  co_return co_await running->tasks.recover(std::move(forTasks), !running->config.strict);
}

async::Task<Result<void>> live(const Running* running, state::Contents contents, bool rebuild) {
  const auto began = std::chrono::steady_clock::now();
  auto lived = co_await recoverAll(running, std::move(contents), rebuild);
  running->recovery = std::chrono::steady_clock::now() - began;
  async::Scope background(running->executor);
  if (lived) {
    running->api.recovered();
    log::info("serving", {{"containers", running->engine.list().size()}});
    running->serviceManager.ready("Serving");
    const async::Event stop(running->executor);
    background.spawn(pruneImages(running));
    background.spawn(watchSignals(running, stop));
    if (running->link != nullptr) background.spawn(serveMasterUntilEnd(running, stop, &lived));
    ignore(co_await stop.wait(), "nobody cancels the agent but by this event");
  } else {
    lived = std::move(lived).under("take up the containers of an earlier agent");
  }
  running->serviceManager.stopping();
  background.cancel();
  co_await background.join();
  co_await running->server.stop(kGrace);
  co_await running->api.close();
  co_await running->tasks.stop();
  co_await running->messenger.stop(kLastWords);
  co_await running->engine.stop();
  co_await running->images.close();
  co_await running->networks.close();
  co_return lived;
}

Result<void> runAgent(const Loaded& loaded, std::function<Result<Loaded>()> loadAgain) {
  const Config& config = loaded.config;
  log::setLevel(config.loggingLevel);
  for (const IgnoredFlag& flag : loaded.ignored) {
    log::warning("a flag of mesos-agent is ignored", {{"flag", flag.origin}, {"reason", flag.reason}});
  }
  TRY(const Programs programs, findPrograms(config));
  TRY(fetcher::PullRequest pulls, pullTemplate(config));
  const std::string defaultRegistry = pulls.defaultRegistry;
  TRY_VOID(prepareDirectories(config));
  TRY(const kernel::Fd lock, lockDirectory(config.workDir.text));
  TRY(const kernel::Fd runtimeLock, lockDirectory(config.runtimeDir.text));
  const auto descriptors = raiseDescriptorLimit();
  const ServiceManager serviceManager;

  async::Loop loop;
  const async::Executor executor = loop.get_executor();
  const async::Signals signals(executor, {SIGTERM, SIGINT, SIGHUP, SIGUSR1});
  async::WorkerPool pool;
  // The database's own: no deletion of a large directory may hold a commit up.
  async::WorkerPool writer(1);
  TRY(const std::optional<master::Tls> tls, loadTls());
  TRY(const std::string ip, listeningAddress(loop, config));
  TRY(Listeners listeners, listen(executor, config, ip));
  TRY(const OwnAddress address, ownAddress(config, ip, listeners.tcp.port()));
  TRY(const Host host, detectHost());

  TRY(state::Database::Opened opened, state::Database::open(config.workDir.text + "/state.db"));
  if (opened.setAside) log::error("the database was corrupt and is made anew", {{"old", *opened.setAside}});
  state::Store store(std::move(opened.database), opened.contents.savedStates, executor, writer);

  TRY(std::optional<MasterPlan> plan, planMaster(executor, config, address, opened.contents.facts));
  fetcher::FetcherProgram fetcher(programs.fetcher);
  fetcher::UriFetcherProgram uriFetcher(programs.fetcher);
  TRY(const auto images, NodeImages::open(executor, fetcher, pool, std::move(pulls)));
  TRY(const auto networks, network::Networks::open(executor, pool, networkSettings(config)));
  // From here on nothing returns early: what was opened is closed by live().
  IsolatorChain isolators(makeIsolators(config, host, pool, *networks));
  RuntimeProgram runtime(programs.runtime, config.runtimeDir.text + "/runtime");
  MonitorPrograms monitors;
  EngineSettings settings = engineSettings(config, programs);
  if (descriptors) settings.rlimits = {{"RLIMIT_NOFILE", descriptors->soft, descriptors->hard}};
  Engine engine({executor, std::move(settings), store, *images, runtime, monitors, isolators, pool});

  tasks::Tasks taskManager({executor, taskSettings(config, address), store, engine, uriFetcher});
  master::MessengerOptions messaging;
  messaging.self = {address.ip, address.port};
  messaging.requirePeerMatch = peerMatchIsRequired();
  messaging.connect = connecting(tls);
  master::Messenger messenger(executor, std::move(messaging));
  std::unique_ptr<master::MasterLink> link;
  if (plan) {
    const master::LinkParts parts{executor, messenger, *plan->detector, taskManager, store};
    link = std::make_unique<master::MasterLink>(parts, plan->settings, plan->record, plan->agent);
  }

  Registry registry;
  addProcessMetrics(registry, hostName(config.hostname));
  addEngineMetrics(registry, engine, engine.counters());
  addUsageMetrics(registry, engine);

  api::Settings served = apiSettings(loaded, registry);
  std::optional<std::chrono::nanoseconds> recovery;
  served.facts = [&address, link = link.get(), started = tasks::Clock::now(), &recovery] {
    api::AgentFacts facts = agentFacts(address, link, started);
    facts.recovery = recovery;
    return facts;
  };
  served.tasks = [&taskManager] { return taskManager.snapshot(); };
  served.taskCounters = [&taskManager] { return taskManager.counters(); };
  served.pruneImages = [&engine, store = images.get(), defaultRegistry](std::vector<std::string> excluded) {
    return pruneUnused(&engine, store, defaultRegistry, std::move(excluded));
  };
  api::Api api(executor, engine, *images, std::move(served));
  http::Router router;
  api.addRoutes(router);
  http::ServerLimits limits;
  limits.body = config.httpBodyLimit.count;
  http::Server server(executor, std::move(router), limits);
  server.onServed(addHttpMetrics(registry));
  server.setGate([&api](const http::Request& request) { return api.gate(request); });
  server.setMessages(messenger);
  server.serve(std::move(listeners.tcp), accepting(tls));
  server.serve(std::move(listeners.local));

  const Running running{executor,       std::move(loadAgain),
                        serviceManager, signals,
                        config,         engine,
                        taskManager,    *images,
                        *networks,      api,
                        server,         messenger,
                        link.get(),     recovery};
  auto lived = async::runUntilDone(loop, live(&running, std::move(opened.contents), opened.setAside.has_value()));
  isolators::removeRootGroup(host.cgroups, config.cgroupsRoot);
  return lived;
}

Result<void> act(const std::vector<std::string>& arguments, const std::vector<std::string>& environment) {
  TRY(const Loaded loaded, load(arguments, environment));
  switch (loaded.action) {
    case Loaded::Action::Help:
      fmt::print("{}", helpText());
      return {};
    case Loaded::Action::Version:
      fmt::print("gantry-agent {}\n", GANTRY_VERSION);
      return {};
    case Loaded::Action::PrintConfig:
      fmt::print("{}", printedConfig(loaded));
      return {};
    case Loaded::Action::Run:
      break;
  }
  return runAgent(loaded, [arguments, environment] { return load(arguments, environment); });
}

}  // namespace
}  // namespace gantry::agent

int main(int argc, char** argv) {
  ::umask(022);
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
  const auto done = gantry::agent::act(arguments, environment);
  if (done) return 0;
  fmt::print(stderr, "gantry-agent: {}\n", done.error().message());
  return 1;
}
