#include "agent/tasks/task_life.hpp"

#include <csignal>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "agent/tasks/environment.hpp"
#include "agent/tasks/outcome.hpp"
#include "agent/tasks/sandbox.hpp"
#include "agent/tasks/uuid.hpp"
#include "async/time.hpp"
#include "base/log.hpp"
#include "fetcher/uris.hpp"

namespace gantry::agent::tasks {
namespace {

constexpr std::uint32_t kNobody = 65534;

using Steady = std::chrono::steady_clock;
using gantry::Error;

// Between two tries to remove a container that is busy, from the first, doubled, to the longest.
constexpr async::Duration kFirstPause = std::chrono::milliseconds(20);
constexpr async::Duration kLongestPause = std::chrono::seconds(5);

bool isBusy(const Result<void>& done) {
  return !done && done.error().code() == Code::Busy;
}

// How long a kill waits for its being on record: a database that cannot be written does not keep a task alive.
constexpr Duration kRecordPatience = std::chrono::seconds(1);

// What is left until `time`, at least nothing.
Duration until(Clock::time_point time) {
  return std::max(std::chrono::duration_cast<Duration>(time - Clock::now()), Duration(0));
}

// In an image a name may mean somebody else, or nobody; one that the host does not know is left to the image.
void nameByNumber(std::optional<std::string>& user) {
  if (!user) return;
  if (const auto known = hostUser(*user)) user = fmt::format("{}:{}", known->uid, known->gid);
}

}  // namespace

TaskLife::TaskLife(LifeParts& parts, std::shared_ptr<const Framework> framework, TaskRequest request,
                   std::shared_ptr<Journal> journal, Progress progress)
    : parts_(parts),
      framework_(std::move(framework)),
      request_(std::move(request)),
      journal_(std::move(journal)),
      progress_(std::move(progress)),
      killAt_(Steady::now() + until(progress_.killAt)),
      ended_(parts.scope.executor()),
      hastened_(parts.scope.executor()) {
  const TaskStatus* const last = journal_->last();
  if (last != nullptr && !last->containerId.empty()) {
    pid_ = last->pid;
    networks_ = last->networks;
  }
}

async::Task<> TaskLife::run() {
  const auto self = shared_from_this();
  auto sandbox = sandboxPath({.workDirectory = parts_.settings.workDirectory,
                              .agent = parts_.agentId,
                              .framework = request_.framework,
                              .executor = request_.executor,
                              .container = request_.container.id.text()});
  if (sandbox) progress_.sandbox = *sandbox;
  journal_->note(progress_);
  const auto recorded = co_await journal_->written();
  if (!recorded) co_return;
  log::info("task is launched",
            {{"task", request_.id}, {"framework", request_.framework}, {"container", request_.container.id.text()}});
  if (sandbox) {
    co_await launchAndWatch();
  } else {
    co_await end(launchFailure(sandbox.error(), progress_.ending));
  }
}

async::Task<> TaskLife::launchAndWatch() {
  const auto launched = co_await launch();
  const bool stopping = co_await async::isCancelled();
  if (stopping) co_return;
  step_ = Step::Launched;
  if (launched) {
    co_await watch();
    co_return;
  }
  log::info("task could not be launched",
            {{"task", request_.id}, {"framework", request_.framework}, {"reason", launched.error()}});
  if (endingAtExit() == Ending::None) ++parts_.counters.launchErrors;
  TaskStatus failure = launchFailure(launched.error(), endingAtExit());
  co_await end(std::move(failure));
}

async::Task<Result<void>> TaskLife::launch() {
  if (progress_.ending != Ending::None) co_return Error(Code::Cancelled, "it was killed");
  CO_TRY(const fetcher::UriUser user, owner());
  CO_TRY_VOID(makeSandbox(progress_.sandbox, user));
  if (!request_.uris.empty()) CO_TRY_VOID(co_await fetch());
  if (progress_.ending != Ending::None) co_return Error(Code::Cancelled, "it was killed");
  step_ = Step::Launching;
  isolators::ContainerRequest container = request_.container;
  container.sandbox = progress_.sandbox;
  container.command.environment =
      taskEnvironment(parts_.settings, parts_.agentId, *framework_, request_, progress_.sandbox);
  if (!parts_.settings.switchUser) container.command.user.reset();
  if (request_.userIsOfHost && container.image) nameByNumber(container.command.user);
  CO_TRY_VOID(co_await parts_.containers.launch(std::move(container)));
  co_return Result<void>();
}

// A user that only the image knows has nobody's rights on this host, and so has what is fetched for it; it gets the
// sandbox when the image is there.
Result<fetcher::UriUser> TaskLife::owner() const {
  const auto& user = request_.container.command.user;
  const bool hasImage = request_.container.image.has_value();
  if (!parts_.settings.switchUser || (!user && !hasImage)) return fetcher::UriUser();
  // Of a container that goes by its image's user, its framework's: as mesos-agent fetches for those of type DOCKER.
  auto known = hostUser(user ? *user : framework_->user);
  if (!known && hasImage) return fetcher::UriUser{.uid = kNobody, .gid = kNobody, .groups = {}};
  return std::move(known).under("command.user");
}

async::Task<> TaskLife::fetchInto(std::shared_ptr<std::optional<Result<void>>> outcome) {
  auto user = owner();
  if (!user) {
    outcome->emplace(std::move(user).error());
    co_return;
  }
  fetcher::UriRequest wanted = parts_.settings.fetch;
  for (const Uri& uri : request_.uris) {
    wanted.uris.push_back({.value = uri.value,
                           .executable = uri.executable,
                           .extract = uri.extract,
                           .cache = uri.cache,
                           .outputFile = uri.outputFile});
  }
  wanted.sandbox = progress_.sandbox;
  wanted.user = *std::move(user);
  fetcher::UriProgressSink silent = [](const fetcher::UriProgress&) {};
  auto fetched = co_await parts_.uris.fetch(std::move(wanted), std::move(silent));
  outcome->emplace(fetched ? Result<void>() : std::move(fetched).error());
}

async::Task<Result<void>> TaskLife::fetch() {
  step_ = Step::Fetching;
  auto outcome = std::make_shared<std::optional<Result<void>>>();
  async::Scope fetching(parts_.scope.executor());
  fetching_ = &fetching;
  fetching.spawn(fetchInto(outcome));
  co_await fetching.join();
  fetching_ = nullptr;
  co_return std::move(**outcome);
}

// The container that is being launched, or has just been.
async::Task<> TaskLife::giveUpLaunch() {
  const auto self = shared_from_this();
  ContainerId id = request_.container.id;
  ignore(co_await parts_.containers.kill(std::move(id), SIGKILL), "then the launch has failed by itself");
}

async::Task<> TaskLife::resume() {
  const auto self = shared_from_this();
  step_ = Step::Launched;
  if (hasEnded()) {
    co_await forgetContainer();
    co_return;
  }
  const auto container = parts_.containers.status(request_.container.id);
  if (container) {
    co_await watch();
    co_return;
  }
  if (container.error().code() != Code::NotFound) {
    log::error("a task is left as it is, since its container is not known",
               {{"task", request_.id}, {"framework", request_.framework}, {"reason", container.error()}});
    co_return;
  }
  TaskStatus status;
  if (progress_.ending != Ending::None && journal_->last() == nullptr) {
    status = launchFailure(container.error(), progress_.ending);
  } else if (journal_->last() == nullptr) {
    status.state = TaskState::Dropped;
    status.reason = Reason::AgentRestarted;
    status.message = "the agent was restarted before the task's container was launched";
  } else {
    status.state = TaskState::Failed;
    status.reason = Reason::ExecutorTerminated;
    status.message = "the task's container was not there any more when the agent was restarted";
  }
  co_await end(std::move(status));
}

async::Task<> TaskLife::decided() {
  const auto self = shared_from_this();
  // The container has looked for its process by then.
  co_await async::yield();
  if (hasEnded()) co_return;
  const auto container = parts_.containers.status(request_.container.id);
  const bool runs = container && container->phase == Phase::Running && container->pid != 0;
  if (!runs) ignore(co_await ended_.wait(), "whoever waits has waited enough");
}

// From the launched container to its end.
async::Task<> TaskLife::watch() {
  const auto container = parts_.containers.status(request_.container.id);
  // One of an earlier agent may never have got so far.
  if (container && container->started) tellRunning(*container);
  async::Scope beside(parts_.scope.executor());
  beside_ = &beside;
  enforceIfNeeded();
  ContainerId id = request_.container.id;
  const auto ended = co_await parts_.containers.wait(std::move(id));
  beside_ = nullptr;
  const bool stopping = co_await async::isCancelled();
  beside.cancel();
  co_await beside.join();
  if (stopping) co_return;
  const bool neverRan = ended && !ended->waitStatus && journal_->state() == TaskState::Staging;
  if (neverRan && endingAtExit() != Ending::None) {
    TaskStatus status = launchFailure(Error(Code::Cancelled, ended->message), endingAtExit());
    co_await end(std::move(status));
    co_return;
  }
  if (ended) {
    TaskStatus status = endStatus(*ended, endingAtExit(), request_.container.resources);
    co_await end(std::move(status));
    co_return;
  }
  TaskStatus lost{.state = TaskState::Failed, .source = Source::Agent};
  lost.reason = Reason::ExecutorTerminated;
  lost.message = ended.error().message();
  co_await end(std::move(lost));
}

void TaskLife::tellRunning(const ContainerStatus& container) {
  if (journal_->state() != TaskState::Staging) return;
  pid_ = container.pid;
  networks_ = container.networks;
  tell(asExecutor(TaskState::Starting));
  tell(asExecutor(TaskState::Running));
  if (progress_.ending == Ending::Killed) tellKilling();
}

void TaskLife::enforceIfNeeded() {
  const bool isTimed = request_.maxCompletionTime.has_value();
  if (beside_ == nullptr || enforcing_ || (progress_.ending == Ending::None && !isTimed)) return;
  enforcing_ = true;
  beside_->spawn(enforce());
}

// Whether it is too late to end the program, though its container is still cleared away: it keeps its own end.
bool TaskLife::programHasEnded() const {
  const auto container = parts_.containers.status(request_.container.id);
  return container && (container->phase == Phase::Stopping || container->phase == Phase::Exited);
}

// Asks the task to end once it is to, and kills it when its grace is over.
async::Task<> TaskLife::enforce() {
  if (progress_.ending == Ending::None) {
    const Clock::time_point started = journal_->last() == nullptr ? Clock::now() : journal_->last()->time;
    const auto limit = std::chrono::duration_cast<Clock::duration>(*request_.maxCompletionTime);
    killAt_ = Steady::now() + until(started + limit);
    const auto due = co_await untilDue();
    if (!due) co_return;
    if (progress_.ending == Ending::None) {
      if (programHasEnded()) co_return;
      beginEnd(Ending::Expired, ownGrace());
    }
  }
  // The decision first, so that after a restart the end is told as what it is.
  async::Task<Result<void>> written = journal_->written();
  const auto decided = co_await async::withTimeout(kRecordPatience, std::move(written));
  if (!decided && decided.error().code() == Code::Cancelled) co_return;
  if (!decided) {
    log::warning("task is ended though that could not be put on record yet",
                 {{"task", request_.id}, {"framework", request_.framework}, {"reason", decided.error()}});
  }
  ContainerId id = request_.container.id;
  ignore(co_await parts_.containers.askToEnd(id), "it has ended, or the grace will");
  const auto due = co_await untilDue();
  if (!due) co_return;
  log::info("task did not end in its grace and is killed", {{"task", request_.id}, {"framework", request_.framework}});
  ignore(co_await parts_.containers.kill(std::move(id), SIGKILL), "it has ended");
}

// Until killAt_, as it may change meanwhile; or until the end begins, when it had not.
async::Task<Result<void>> TaskLife::untilDue() {
  const Ending before = progress_.ending;
  while (Steady::now() < killAt_) {
    async::Task<Result<std::uint64_t>> hastened = hastened_.after(hastened_.count());
    const Duration left = killAt_ - Steady::now();
    const auto came = co_await async::withTimeout(left, std::move(hastened));
    if (!came && came.error().code() == Code::Cancelled) co_return came.error();
    if (before == Ending::None && progress_.ending != Ending::None) break;
  }
  co_return Result<void>();
}

void TaskLife::kill(std::optional<Duration> grace) {
  if (hasEnded() || programHasEnded()) return;
  beginEnd(Ending::Killed, grace.value_or(ownGrace()));
}

void TaskLife::discard(Duration grace) {
  if (!hasEnded()) beginEnd(Ending::Discarded, grace);
  journal_->acknowledgeAll();
}

void TaskLife::orphan() {
  isOrphan_ = true;
  discard(Duration(0));
}

void TaskLife::beginEnd(Ending why, Duration grace) {
  const Steady::time_point killAt = Steady::now() + grace;
  const bool isFirst = progress_.ending == Ending::None;
  if (!isFirst && why != Ending::Discarded && killAt >= killAt_) return;
  if (!endingAtExit_ && programHasEnded()) endingAtExit_ = progress_.ending;
  killAt_ = isFirst ? killAt : std::min(killAt, killAt_);
  if (isFirst || why == Ending::Discarded) progress_.ending = why;
  progress_.killAt = Clock::now() + std::chrono::duration_cast<Clock::duration>(killAt_ - Steady::now());
  journal_->note(progress_);
  log::info("task is asked to end", {{"task", request_.id}, {"framework", request_.framework}});
  if (isFirst && why == Ending::Killed && journal_->state() == TaskState::Running) tellKilling();
  hastened_.notify();
  enforceIfNeeded();
  if (fetching_ != nullptr) fetching_->cancel();
  if (isFirst && step_ == Step::Launching) parts_.scope.spawn(giveUpLaunch());
}

// A drain that marks the agent gone has no word for it. mesos-agent tells TASK_GONE_BY_OPERATOR here already; the
// master would take the task for gone, and shut us down in its grace.
void TaskLife::tellKilling() {
  const bool isGone = parts_.drain && parts_.drain->markGone && framework_->partitionAware;
  if (framework_->taskKillingState && !isGone) tell(asExecutor(TaskState::Killing));
}

async::Task<> TaskLife::end(TaskStatus status) {
  if (status.source == Source::Executor) {
    TaskStatus facts = asExecutor(status.state);
    status.containerId = std::move(facts.containerId);
    status.pid = facts.pid;
    status.networks = std::move(facts.networks);
  }
  log::info("task has ended", {{"task", request_.id},
                               {"framework", request_.framework},
                               {"state", toString(status.state)},
                               {"message", status.message}});
  tell(std::move(status));
  ended_.set();
  co_await forgetContainer();
}

// Once its end is on record, the container's own record has told all it knows.
async::Task<> TaskLife::forgetContainer() {
  const auto recorded = co_await journal_->written();
  if (!recorded) co_return;
  const ContainerId id = request_.container.id;
  auto removed = co_await parts_.containers.remove(id);
  // After a restart it may still be cleared away.
  for (async::Duration pause = kFirstPause; isBusy(removed) && pause <= kLongestPause; pause *= 2) {
    const auto slept = co_await async::sleep(pause);
    if (!slept) co_return;
    removed = co_await parts_.containers.remove(id);
  }
  if (removed || removed.error().code() == Code::NotFound || removed.error().code() == Code::Cancelled) co_return;
  log::warning("a task's container stays on record until the next start",
               {{"task", request_.id}, {"framework", request_.framework}, {"reason", removed.error()}});
}

void TaskLife::tell(TaskStatus status) {
  const bool isKilled = status.state == TaskState::Killed;
  if (parts_.drain && (isKilled || status.state == TaskState::Killing)) {
    status.reason = Reason::AgentDraining;
    if (isKilled && parts_.drain->markGone) status.state = TaskState::GoneByOperator;
  }
  status.state = stateFor(*framework_, status.state);
  status.time = Clock::now();
  status.uuid = newUuid();
  ++parts_.counters.validStatusUpdates;
  if (isTerminal(status.state)) ++parts_.counters.ended[status.state];
  journal_->append(std::move(status), progress_.ending != Ending::Discarded);
}

TaskStatus TaskLife::asExecutor(TaskState state) const {
  TaskStatus status{.state = state, .source = Source::Executor};
  status.containerId = request_.container.id.text();
  status.pid = pid_;
  status.networks = networks_;
  if (networks_.empty()) status.networks = {{.addresses = {parts_.settings.ip}}};
  return status;
}

Duration TaskLife::ownGrace() const {
  return request_.killGrace.value_or(parts_.settings.killGrace);
}

Task TaskLife::describe() const {
  Task task;
  task.id = request_.id;
  task.framework = request_.framework;
  task.executor = request_.executor;
  task.name = request_.name;
  task.role = request_.role;
  task.state = journal_->state();
  task.statuses = journal_->history();
  task.sentState = journal_->sentState();
  task.sentUuid = journal_->sentUuid();
  task.container = request_.container.id;
  task.sandbox = progress_.sandbox;
  task.resources = request_.resources;
  task.info = request_.info;
  return task;
}

}  // namespace gantry::agent::tasks
