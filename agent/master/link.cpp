#include "agent/master/link.hpp"

#include <map>

#include <fmt/format.h>

#include "agent/tasks/uuid.hpp"
#include "agent/wire/agent_info.hpp"
#include "async/event.hpp"
#include "async/scope.hpp"
#include "base/log.hpp"
#include "base/log_limit.hpp"

namespace gantry::agent::master {

using async::Task;

namespace {

constexpr std::string_view kPackage = "mesos.internal.";

// Mesos' containers of tasks are named by random UUIDs.
ContainerId newContainerId() {
  auto id = ContainerId::root(tasks::uuidText(tasks::newUuid()));
  ENSURE(id, "a UUID is a container's id");
  return *std::move(id);
}

}  // namespace

struct MasterLink::State final : Registrant {
  State(MasterLink& owner, LinkParts with, LinkSettings what, AgentRecord left, tasks::Message now)
      : sink(owner),
        parts(with),
        settings(std::move(what)),
        record(std::move(left)),
        info(std::move(now)),
        registration(parts.executor, parts.messenger, parts.detector, *this, settings.registration),
        scope(parts.executor),
        ended(parts.executor) {}

  using Receiver = void (State::*)(const Upid& from, const std::string& body);
  enum class Phase { Recovering, Following, Terminating };

  // Registrant.
  Request request() override;
  void led(const std::optional<Master>& now) override;
  void lost() override;

  // Messages, named after what they ask for.
  void receive(const Upid& from, const std::string& name, const std::string& body);
  void pinged(const Upid& from, const std::string& body);
  void registered(const Upid& from, const std::string& body);
  void reregistered(const Upid& from, const std::string& body);
  void shutDown(const Upid& from, const std::string& body);
  void runTask(const Upid& from, const std::string& body);
  void runTaskGroup(const Upid& from, const std::string& body);
  void killTask(const Upid& from, const std::string& body);
  void acknowledge(const Upid& from, const std::string& body);
  void updateFramework(const Upid& from, const std::string& body);
  void shutdownFramework(const Upid& from, const std::string& body);
  void shutdownExecutor(const Upid& from, const std::string& body);
  void tellExecutor(const Upid& from, const std::string& body);
  void drain(const Upid& from, const std::string& body);
  void checkpointResources(const Upid& from, const std::string& body);
  void applyOperation(const Upid& from, const std::string& body);
  void reconcileOperations(const Upid& from, const std::string& body);

  void becomeRunning(std::optional<tasks::Duration> pingTimeout);
  void terminate();
  void fail(Error error);
  void tellMaster(std::string_view name, const std::string& body);
  void tellOfNoExecutor(const std::string& framework, const std::string& executor, bool launchExecutor);
  void drop(std::string_view message, const Upid& from, std::string_view reason);
  // The value, or nothing and a line in the log.
  template <typename T>
  std::optional<T> take(std::string_view message, const Upid& from, Result<T> parsed);
  void save(std::vector<state::Change> changes);
  // The AgentInfo with the id, if there is one.
  tasks::Message described() const { return record.id.empty() ? info : wire::withAgentId(info, record.id); }
  std::string pid() const { return toString(parts.messenger.own(settings.registration.process)); }
  wire::AgentIdentity identity() const;

  static Task<> commit(State* state, std::vector<state::Change> changes);
  static Task<> follow(State* state);
  static Task<Result<void>> run(State* state);

  MasterLink& sink;
  LinkParts parts;
  LinkSettings settings;
  AgentRecord record;
  tasks::Message info;
  Registration registration;
  async::Scope scope;
  async::Event ended;
  std::optional<Error> failure;
  Phase phase = Phase::Recovering;
  // Shut down by the master, and not of our own accord.
  bool keepsId = false;
  std::optional<Master> leader;
  // Anybody who can reach our port can make us drop messages.
  log::Limit drops;
};

// --- registration

Registrant::Request MasterLink::State::request() {
  wire::Registration what;
  what.agent = described();
  what.capabilities = settings.capabilities;
  what.checkpointedResources = record.checkpointedResources;
  if (record.id.empty()) return {"mesos.internal.RegisterSlaveMessage", wire::encodeRegister(what)};
  return {"mesos.internal.ReregisterSlaveMessage", wire::encodeReregister(what, parts.tasks.snapshot(), identity())};
}

void MasterLink::State::led(const std::optional<Master>& now) {
  leader = now;
  const bool changed = !record.id.empty() && described() != record.info;
  if (leader && changed && !leader->updatesAgents) {
    fail(Error(Code::Unsupported,
               "the agent's resources or attributes have changed, and its master does not take it back like that"));
  }
}

void MasterLink::State::lost() {
  parts.tasks.disconnected();
}

void MasterLink::State::becomeRunning(std::optional<tasks::Duration> pingTimeout) {
  // Everything that follows from being registered is written behind this.
  record.info = described();
  save({putAgentId(record.id), putAgentInfo(record.info)});
  registration.accepted(pingTimeout);
  parts.tasks.registered(record.id);
  parts.tasks.connected(sink);
}

void MasterLink::State::registered(const Upid& from, const std::string& body) {
  const auto message = take("SlaveRegisteredMessage", from, wire::parseRegistered(body));
  if (!message) return;
  if (!record.id.empty() && message->agentId != record.id) {
    if (!registration.isRunning()) return drop("SlaveRegisteredMessage", from, "it is for another agent");
    return fail(Error(Code::Unsupported,
                      fmt::format("the master calls this agent '{}', which is '{}'", message->agentId, record.id)));
  }
  if (registration.isRunning()) {
    return log::warning("the master says once more that we are registered", {{"agent", record.id}});
  }
  log::info("registered", {{"master", toString(from)}, {"agent", message->agentId}});
  record.id = message->agentId;
  becomeRunning(message->pingTimeout);
}

void MasterLink::State::reregistered(const Upid& from, const std::string& body) {
  const auto message = take("SlaveReregisteredMessage", from, wire::parseReregistered(body));
  if (!message) return;
  if (message->agentId != record.id) {
    return fail(Error(Code::Unsupported,
                      fmt::format("the master calls this agent '{}', which is '{}'", message->agentId, record.id)));
  }
  if (!registration.isRunning()) {
    log::info("registered again", {{"master", toString(from)}, {"agent", record.id}});
    becomeRunning(message->pingTimeout);
  }
  for (const wire::Reconciliation& asked : message->reconciliations) {
    for (const std::string& task : asked.tasks) parts.tasks.reconcile(asked.framework, task);
  }
}

void MasterLink::State::pinged(const Upid& from, const std::string& body) {
  const auto message = take("PingSlaveMessage", from, wire::parsePing(body));
  if (!message) return;
  // To the one who pings, which is not the master itself.
  parts.messenger.send(settings.registration.process, from, "mesos.internal.PongSlaveMessage", wire::encodePong());
  // The master pings from its address, by a process of its own; what others think of us means nothing.
  if (leader && from.address == leader->pid.address) registration.pinged(message->connected);
}

void MasterLink::State::shutDown(const Upid& from, const std::string& body) {
  const auto message = take("ShutdownMessage", from, wire::parseShutdown(body));
  if (!message) return;
  log::error("the master shuts this agent down", {{"master", toString(from)}, {"message", message->message}});
  keepsId = true;
  terminate();
}

void MasterLink::State::terminate() {
  if (phase == Phase::Terminating) return;
  phase = Phase::Terminating;
  parts.tasks.disconnected();
  parts.tasks.shutdown();
  ended.set();
}

void MasterLink::State::fail(Error error) {
  if (!failure) failure = std::move(error);
  ended.set();
}

// --- tasks

void MasterLink::State::runTask(const Upid& from, const std::string& body) {
  auto message = take("RunTaskMessage", from, wire::parseRunTask(body, settings.tasks));
  if (!message) return;
  if (message->agentId != record.id) return drop("RunTaskMessage", from, "the task is for another agent");
  if (message->request) {
    if (auto fits = wire::checkFits(message->request->resources, info); !fits) {
      message->request = std::move(fits).error().under("task");
    }
  }
  if (message->request) {
    message->request->container.id = newContainerId();
    log::info("task asked for", {{"task", message->taskId}, {"framework", message->framework.id}});
    return parts.tasks.run(std::move(message->framework), *std::move(message->request));
  }
  const Error& error = message->request.error();
  log::warning("task refused", {{"task", message->taskId}, {"framework", message->framework.id}, {"reason", error}});
  tellOfNoExecutor(message->framework.id, message->executorId, message->launchExecutor);
  // What is wrong will be wrong elsewhere; what is not there here may be.
  const bool wrong = error.code() == Code::InvalidArgument;
  parts.tasks.refuse(std::move(message->framework), message->taskId,
                     wrong ? tasks::TaskState::Error : tasks::TaskState::Failed,
                     wrong ? tasks::Reason::TaskInvalid : tasks::Reason::ContainerLaunchFailed, error.message());
}

void MasterLink::State::runTaskGroup(const Upid& from, const std::string& body) {
  const auto message = take("RunTaskGroupMessage", from, wire::parseRunTaskGroup(body));
  if (!message) return;
  if (message->agentId != record.id) return drop("RunTaskGroupMessage", from, "the tasks are for another agent");
  log::warning("task group refused", {{"framework", message->framework.id}, {"executor", message->executorId}});
  tellOfNoExecutor(message->framework.id, message->executorId, message->launchExecutor);
  for (const std::string& task : message->taskIds) {
    parts.tasks.refuse(message->framework, task, tasks::TaskState::Failed, tasks::Reason::ContainerLaunchFailed,
                       "this agent does not run task groups");
  }
}

void MasterLink::State::killTask(const Upid& from, const std::string& body) {
  const auto message = take("KillTaskMessage", from, wire::parseKillTask(body));
  if (!message) return;
  log::info("task to be killed", {{"task", message->task}, {"framework", message->framework}});
  parts.tasks.kill(message->framework, message->task, message->grace);
}

void MasterLink::State::acknowledge(const Upid& from, const std::string& body) {
  const auto message = take("StatusUpdateAcknowledgementMessage", from, wire::parseAcknowledgement(body));
  if (message) parts.tasks.acknowledge(message->framework, message->task, message->uuid);
}

void MasterLink::State::drain(const Upid& from, const std::string& body) {
  auto message = take("DrainSlaveMessage", from, wire::parseDrain(body));
  if (!message) return;
  log::info("draining", {{"mark_gone", message->markGone}});
  parts.tasks.drain(*std::move(message));
}

// --- frameworks

void MasterLink::State::updateFramework(const Upid& from, const std::string& body) {
  auto message = take("UpdateFrameworkMessage", from, wire::parseUpdateFramework(body));
  if (!message) return;
  if (message->framework) return parts.tasks.updateFramework(*std::move(message->framework));
  // Old masters tell the scheduler's new address only.
  for (const auto& known : parts.tasks.snapshot().frameworks) {
    if (known.framework.id != message->id) continue;
    tasks::Framework moved = known.framework;
    moved.pid = message->pid;
    return parts.tasks.updateFramework(std::move(moved));
  }
}

void MasterLink::State::shutdownFramework(const Upid& from, const std::string& body) {
  const auto framework = take("ShutdownFrameworkMessage", from, wire::parseShutdownFramework(body));
  if (!framework) return;
  if (!registration.isRunning()) return drop("ShutdownFrameworkMessage", from, "this agent is not registered");
  log::info("framework shut down", {{"framework", *framework}});
  parts.tasks.shutdownFramework(*framework);
}

void MasterLink::State::shutdownExecutor(const Upid& from, const std::string& body) {
  const auto message = take("ShutdownExecutorMessage", from, wire::parseShutdownExecutor(body));
  if (!message) return;
  // A command task's executor has the task's id, and nothing but the task.
  for (const auto& known : parts.tasks.snapshot().frameworks) {
    if (known.framework.id != message->framework) continue;
    for (const tasks::Task& task : known.active) {
      if (task.executor == message->executor) parts.tasks.kill(message->framework, task.id, std::nullopt);
    }
  }
}

void MasterLink::State::tellExecutor(const Upid& from, const std::string& body) {
  const auto message = take("FrameworkToExecutorMessage", from, wire::parseFrameworkToExecutor(body));
  if (message) drop("FrameworkToExecutorMessage", from, "command tasks take no messages");
}

// The master counts an executor for a task that it launched with one.
void MasterLink::State::tellOfNoExecutor(const std::string& framework, const std::string& executor,
                                         bool launchExecutor) {
  constexpr int kNeverLaunched = -1;
  if (executor.empty() || !launchExecutor) return;
  tellMaster("mesos.internal.ExitedExecutorMessage",
             wire::encodeExitedExecutor(record.id, framework, executor, kNeverLaunched));
}

// --- resources and operations

void MasterLink::State::checkpointResources(const Upid& from, const std::string& body) {
  auto resources = take("CheckpointResourcesMessage", from, wire::parseCheckpointResources(body));
  if (!resources) return;
  record.checkpointedResources = *std::move(resources);
  save({putCheckpointedResources(body)});
}

void MasterLink::State::applyOperation(const Upid& from, const std::string& body) {
  const auto message = take("ApplyOperationMessage", from, wire::parseApplyOperation(body));
  if (!message) return;
  tellMaster("mesos.internal.UpdateOperationStatusMessage",
             wire::encodeOperationStatus(record.id, message->framework, message->uuid, message->operationId,
                                         wire::OperationState::Dropped, "this agent carries out no operations"));
}

void MasterLink::State::reconcileOperations(const Upid& from, const std::string& body) {
  const auto message = take("ReconcileOperationsMessage", from, wire::parseReconcileOperations(body));
  if (!message) return;
  const bool askedByMaster = message->framework.empty();
  for (const wire::OperationQuestion& asked : message->operations) {
    tellMaster(
        "mesos.internal.UpdateOperationStatusMessage",
        wire::encodeOperationStatus(record.id, message->framework, asked.uuid, asked.operationId,
                                    askedByMaster ? wire::OperationState::Dropped : wire::OperationState::Unknown,
                                    "this agent does not know the operation"));
  }
}

// --- in and out

void MasterLink::State::receive(const Upid& from, const std::string& name, const std::string& body) {
  static const std::map<std::string_view, Receiver> kReceivers = {
      {"SlaveRegisteredMessage", &State::registered},
      {"SlaveReregisteredMessage", &State::reregistered},
      {"ShutdownMessage", &State::shutDown},
      {"RunTaskMessage", &State::runTask},
      {"RunTaskGroupMessage", &State::runTaskGroup},
      {"KillTaskMessage", &State::killTask},
      {"StatusUpdateAcknowledgementMessage", &State::acknowledge},
      {"UpdateFrameworkMessage", &State::updateFramework},
      {"ShutdownFrameworkMessage", &State::shutdownFramework},
      {"ShutdownExecutorMessage", &State::shutdownExecutor},
      {"FrameworkToExecutorMessage", &State::tellExecutor},
      {"DrainSlaveMessage", &State::drain},
      {"CheckpointResourcesMessage", &State::checkpointResources},
      {"ApplyOperationMessage", &State::applyOperation},
      {"ReconcileOperationsMessage", &State::reconcileOperations},
  };
  if (!name.starts_with(kPackage)) return drop(name, from, "it is not known here");
  const std::string_view message = std::string_view(name).substr(kPackage.size());
  // Whoever asks whether we live is told, whatever we are doing.
  if (message == "PingSlaveMessage") return pinged(from, body);
  const auto receiver = kReceivers.find(message);
  if (receiver == kReceivers.end()) return drop(name, from, "it is not known here");
  if (!leader || from != leader->pid) return drop(name, from, "it does not come from the leading master");
  if (phase != Phase::Following) return drop(name, from, "this agent is not serving");
  (this->*receiver->second)(from, body);
}

template <typename T>
std::optional<T> MasterLink::State::take(std::string_view message, const Upid& from, Result<T> parsed) {
  if (parsed) return *std::move(parsed);
  drop(message, from, parsed.error().message());
  return std::nullopt;
}

void MasterLink::State::drop(std::string_view message, const Upid& from, std::string_view reason) {
  if (const auto more = drops.pass()) {
    log::warning("dropped a message",
                 {{"message", message}, {"from", toString(from)}, {"reason", reason}, {"more", *more}});
  }
}

void MasterLink::State::tellMaster(std::string_view name, const std::string& body) {
  if (leader) parts.messenger.send(settings.registration.process, leader->pid, name, body);
}

wire::AgentIdentity MasterLink::State::identity() const {
  const Upid own = parts.messenger.own(settings.registration.process);
  return {record.id, toString(own), own.address.host};
}

// --- durable facts

void MasterLink::State::save(std::vector<state::Change> changes) {
  scope.spawn(commit(this, std::move(changes)));
}

Task<> MasterLink::State::commit(State* state, std::vector<state::Change> changes) {
  auto committed = co_await state->parts.store.commit(std::move(changes));
  if (!committed) state->fail(std::move(committed).error().under("keep what the master said"));
}

// --- life

Task<> MasterLink::State::follow(State* state) {
  auto followed = co_await state->registration.follow();
  if (followed || followed.error().code() == Code::Cancelled) co_return;
  state->fail(std::move(followed).error());
}

Task<Result<void>> MasterLink::State::run(State* state) {
  state->phase = Phase::Following;
  if (state->record.id.empty()) {
    state->save(forgetAgent());
  } else {
    state->parts.tasks.registered(state->record.id);
  }
  async::Scope following(state->parts.executor);
  following.spawn(follow(state));
  const auto ended = co_await state->ended.wait();
  following.cancel();
  co_await following.joinShielded();
  state->parts.tasks.disconnected();
  co_await state->scope.joinShielded();
  if (state->failure) co_return *state->failure;
  co_return ended;
}

MasterLink::MasterLink(LinkParts parts, LinkSettings settings, AgentRecord record, tasks::Message info)
    : state_(std::make_unique<State>(*this, parts, std::move(settings), std::move(record), std::move(info))) {
  State* const state = state_.get();
  state->parts.messenger.add(state->settings.registration.process,
                             [state](const Upid& from, const std::string& name, const std::string& body) {
                               state->receive(from, name, body);
                             });
}

MasterLink::~MasterLink() {
  state_->parts.messenger.remove(state_->settings.registration.process);
}

Task<Result<void>> MasterLink::run() {
  return State::run(state_.get());
}

void MasterLink::unregister() {
  log::info("taking leave of the master", {{"agent", state_->record.id}});
  if (state_->registration.isRunning()) {
    state_->tellMaster("mesos.internal.UnregisterSlaveMessage", wire::encodeUnregister(state_->record.id));
  }
  state_->terminate();
}

Task<Result<void>> MasterLink::forget() {
  if (state_->keepsId) co_return Result<void>();
  co_return co_await state_->parts.store.commit(forgetAgent());
}

void MasterLink::send(const tasks::StatusUpdate& update) {
  state_->tellMaster("mesos.internal.StatusUpdateMessage", wire::encodeStatusUpdate(update, state_->identity()));
}

LinkFacts MasterLink::facts() const {
  LinkFacts facts;
  facts.id = state_->record.id;
  facts.pid = state_->pid();
  facts.registered = state_->registration.isRunning();
  if (state_->leader) facts.masterHostname = state_->leader->hostname;
  for (const wire::AgentCapability capability : state_->settings.capabilities) {
    facts.capabilities.emplace_back(wire::toString(capability));
  }
  facts.info = state_->described();
  facts.checkpointedResources = state_->record.checkpointedResources;
  return facts;
}

}  // namespace gantry::agent::master
