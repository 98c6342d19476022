#include "agent/containers/container_life.hpp"

#include <sys/wait.h>
#include <csignal>

#include <algorithm>
#include <functional>
#include <utility>

#include <fmt/format.h>

#include "agent/containers/phase.hpp"
#include "agent/containers/request_json.hpp"
#include "agent/containers/session_life.hpp"
#include "agent/containers/termination.hpp"
#include "async/time.hpp"
#include "base/log.hpp"
#include "fetcher/messages.hpp"
#include "kernel/file.hpp"

namespace gantry::agent {
namespace {

using isolators::Container;
using isolators::ContainerRequest;
using isolators::Limitation;

// How long after a SIGKILL nobody here sent an isolator may still say that it was an exceeded limit.
constexpr async::Duration kLimitationGrace = std::chrono::milliseconds(100);

// Between two tries to reach a monitor that could not be reached for the host's sake; from the first, doubled, to the
// longest.
constexpr async::Duration kFirstPause = std::chrono::milliseconds(100);
constexpr async::Duration kLongestPause = std::chrono::seconds(10);

std::int64_t nanoseconds(Clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

Clock::time_point timePoint(std::int64_t count) {
  return Clock::time_point(std::chrono::duration_cast<Clock::duration>(std::chrono::nanoseconds(count)));
}

template <typename From, typename Function>
auto mapped(const std::optional<From>& value, Function function) {
  using To = decltype(function(*value));
  return value ? std::optional<To>(function(*value)) : std::nullopt;
}

// Whether the program died as the OOM killer kills it: by SIGKILL, or as a shell reports that of its child.
bool looksKilled(const ExitRecord& exit) {
  if (!exit.waitStatus) return false;
  const int status = *exit.waitStatus;
  return (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) ||
         (WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGKILL);
}

}  // namespace

Container containerOf(const EngineSettings& settings, ContainerRequest request) {
  const std::string id = request.id.text();
  Container container{.request = std::move(request)};
  container.stateDirectory = fmt::format("{}/containers/{}", settings.workDirectory, id);
  container.sandbox = container.request.sandbox.value_or(container.stateDirectory + "/sandbox");
  container.runtimeDirectory = fmt::format("{}/containers/{}", settings.runtimeDirectory, id);
  container.cgroupPath = fmt::format("/{}/{}", settings.cgroupsRoot, id);
  return container;
}

Result<Container> withImage(Container container, const fetcher::Image& image) {
  TRY(container.imageConfig, oci::parseImageConfig(image.configJson).under("image configuration"));
  for (const fetcher::Layer& layer : image.layers) container.layers.push_back(layer.directory);
  return container;
}

ContainerLife::ContainerLife(EngineParts& parts, EngineCounters& counters, ContainerRequest request)
    : parts_(parts),
      counters_(counters),
      container_(std::make_shared<const Container>(containerOf(parts.settings, std::move(request)))),
      limited_(parts.executor),
      launchedEvent_(parts.executor),
      endedEvent_(parts.executor) {}

Result<std::shared_ptr<ContainerLife>> ContainerLife::restore(EngineParts& parts, EngineCounters& counters,
                                                              const state::ContainerRecord& record) {
  TRY(auto request, parseRequest(record.request));
  TRY(const Phase phase, parsePhase(record.phase));
  auto life = std::make_shared<ContainerLife>(parts, counters, std::move(request));
  life->requestJson_ = record.request;
  life->imageJson_ = record.image;
  if (!record.image.empty()) {
    TRY(const auto image, fetcher::parseImage(record.image));
    TRY(auto container, withImage(*life->container_, image));
    life->container_ = std::make_shared<const Container>(std::move(container));
    life->imageDigest_ = image.manifestDigest.text();
  }
  life->phase_ = phase;
  life->created_ = timePoint(record.created);
  life->started_ = mapped(record.started, timePoint);
  life->finished_ = mapped(record.finished, timePoint);
  life->init_ = {.pid = static_cast<pid_t>(record.pid), .startTime = record.startTime};
  if (record.terminationMessage) {
    life->termination_ = Termination{.waitStatus = record.waitStatus,
                                     .state = record.terminationState,
                                     .reason = record.terminationReason,
                                     .message = *record.terminationMessage};
  }
  life->launchOutcome_ = Result<void>();
  life->launchedEvent_.set();
  if (phase == Phase::Exited) life->endedEvent_.set();
  return life;
}

async::Task<> ContainerLife::run() {
  const auto self = shared_from_this();
  auto outcome = std::make_shared<std::optional<Result<void>>>();
  async::Scope launching(parts_.executor);
  launchScope_ = &launching;
  launching.spawn(launchInto(outcome));
  co_await launching.join();
  launchScope_ = nullptr;
  const bool stopping = co_await async::isCancelled();
  if (stopping) co_return;

  if (**outcome) {
    log::info("container is running", {{"container", container_->id().text()}, {"pid", init_.pid}});
    launchOutcome_ = Result<void>();
    launchedEvent_.set();
    // The launch was over when somebody gave it up.
    if (signal_) ignore(process_.signal(SIGKILL), "it has ended");
    co_await untilEnded();
    co_return;
  }

  Error failure = (*outcome)->error();
  if (signal_) failure = Error(Code::Cancelled, fmt::format("the launch was given up for {}", signalName(*signal_)));
  log::info("container could not be launched", {{"container", container_->id().text()}, {"reason", failure}});
  ++counters_.launchFailures;
  co_await finish(failedBecause("REASON_CONTAINER_LAUNCH_FAILED", failure.message()), Record::Drop);
  launchOutcome_ = Result<void>(std::move(failure));
  launchedEvent_.set();
}

async::Task<> ContainerLife::resume() {
  const auto self = shared_from_this();
  const auto found = co_await findAgain();
  const bool stopping = co_await async::isCancelled();
  if (stopping) co_return;
  if (!found) {
    const std::string message = fmt::format("its monitor could not be found again: {}", found.error().message());
    co_await finish(failedBecause("REASON_IO_SWITCHBOARD_EXITED", message), Record::Keep);
    co_return;
  }
  if (process_) {
    ++counters_.recovered;
    auto recovered = co_await parts_.isolators.recover(container_);
    if (!recovered) {
      log::warning("an isolator could not go on after the restart",
                   {{"container", container_->id().text()}, {"reason", recovered.error()}});
    }
    log::info("container goes on running", {{"container", container_->id().text()}, {"pid", init_.pid}});
  }
  co_await untilEnded();
}

// Only NotFound says something about the container; the lack of a descriptor, say, is about the host, and passes.
async::Task<Result<void>> ContainerLife::findAgain() {
  for (async::Duration pause = kFirstPause;; pause = std::min(pause * 2, kLongestPause)) {
    auto found = co_await lookForMonitor();
    if (found || found.error().code() == Code::NotFound) co_return found;
    CO_TRY_VOID(co_await async::sleep(pause));
    log::warning("a container's monitor cannot be reached; trying again",
                 {{"container", container_->id().text()}, {"reason", found.error()}});
  }
}

// The process first, so that a kill reaches it whatever becomes of its monitor.
async::Task<Result<void>> ContainerLife::lookForMonitor() {
  if (!process_) {
    auto process = kernel::Process::open(init_);
    if (process) {
      process_ = std::move(*process);
      for (const int signal : std::exchange(unsent_, {})) ignore(process_.signal(signal), "it has ended");
    } else if (process.error().code() != Code::NotFound) {
      co_return std::move(process).error();
    }
  }
  CO_TRY(monitor_, co_await parts_.monitors.find(container_->runtimeDirectory));
  co_return Result<void>();
}

async::Task<> ContainerLife::giveUp(Termination termination) {
  const auto self = shared_from_this();
  co_await finish(std::move(termination), Record::Keep);
}

async::Task<> ContainerLife::cleanUpAgain() {
  const auto self = shared_from_this();
  clearing_ = true;
  const auto cleaned = co_await cleanUp();
  cleanupFailed_ = !cleaned.has_value();
  if (cleanupFailed_) {
    clearing_ = false;
    log::error("container could still not be cleaned up",
               {{"container", container_->id().text()}, {"reason", cleaned.error()}});
    co_return;
  }
  ignore(co_await recordEnd(), "the ledger then makes the next start clean up once more");
  clearing_ = false;
}

async::Task<> ContainerLife::untilEnded() {
  async::Scope watches(parts_.executor);
  // The lambda lives in the watches, which end before this does.
  parts_.isolators.watch(watches, container_, [this](Limitation limitation) { limit(std::move(limitation)); });
  watches.spawn(watchMonitor());
  watches_ = &watches;
  // Before it was found again.
  if (askedToEnd_) watches.spawn(endAfterOthers());
  auto exited = co_await monitor_->exited();
  watches_ = nullptr;
  const bool stopping = co_await async::isCancelled();
  const bool unexplained = exited && looksKilled(*exited) && !limitation_ && signal_ != SIGKILL && !endedForSigterm_;
  if (unexplained && !stopping) {
    async::Task<Result<void>> limited = limited_.wait();
    ignore(co_await async::withTimeout(kLimitationGrace, std::move(limited)), "then it was no limit");
  }
  watches.cancel();
  co_await watches.join();
  if (stopping) co_return;

  ExitRecord exit = exited ? *exited : ExitRecord{.time = Clock::now()};
  if (endedForSigterm_ && signal_ == SIGTERM && exit.waitStatus == SIGKILL) exit.waitStatus = SIGTERM;
  finished_ = exit.time;
  ++counters_.exits;
  co_await finish(explainEnd(exit, limitation_, signal_), Record::Keep);
}

// A container whose monitor is gone has nobody who keeps its output and its exit status.
async::Task<> ContainerLife::watchMonitor() {
  co_await parts_.monitors.lost(container_->runtimeDirectory);
  const bool cancelled = co_await async::isCancelled();
  if (cancelled) co_return;
  limit({.reason = "REASON_IO_SWITCHBOARD_EXITED", .message = "its monitor was killed, and so it was stopped"});
}

void ContainerLife::limit(Limitation limitation) {
  if (limitation_) return;
  log::info("container is stopped", {{"container", container_->id().text()}, {"reason", limitation.message}});
  ++counters_.limitations;
  limitation_ = std::move(limitation);
  limited_.set();
  if (process_) ignore(process_.signal(SIGKILL), "it has ended by itself");
}

async::Task<> ContainerLife::finish(Termination termination, Record afterwards) {
  setPhase(Phase::Stopping);
  if (!finished_) finished_ = Clock::now();
  const auto cleaned = co_await cleanUp();
  const bool stopping = co_await async::isCancelled();
  if (stopping) co_return;
  cleanupFailed_ = !cleaned.has_value();
  if (cleanupFailed_) {
    ++counters_.cleanupFailures;
    log::error("container could not be cleaned up; removing it, or the next start, tries again",
               {{"container", container_->id().text()}, {"reason", cleaned.error()}});
  }
  log::info("container has ended", {{"container", container_->id().text()}, {"reason", termination.message}});
  termination_ = std::move(termination);
  setPhase(Phase::Exited);
  const auto recorded = co_await recordEnd();
  if (!recorded) {
    log::error("the end of a container could not be put on record",
               {{"container", container_->id().text()}, {"reason", recorded.error()}});
  }
  if (afterwards == Record::Drop && !cleanupFailed_) ignore(co_await forget(), "it logs; the record stays then");
  endedEvent_.set();
}

// Undoes the launch from its end to its beginning, all of it even when parts fail; right at any point of the launch, a
// second time, and after a restart.
async::Task<Result<void>> ContainerLife::cleanUp() {
  for (const auto& session : sessions_) co_await session->stop();
  if (!monitor_) {
    auto found = co_await parts_.monitors.find(container_->runtimeDirectory);
    if (found) monitor_ = std::move(*found);
  }
  if (monitor_) ignore(monitor_->abandon(), "it has ended");
  const ContainerId id = container_->id();
  const auto removed = co_await parts_.runtime.remove(id);
  const auto cleaned = co_await parts_.isolators.cleanup(container_);
  monitor_.reset();
  process_ = kernel::Process();
  CO_TRY_VOID(Result<void>(removed));
  co_return cleaned;
}

// Off the loop, since it may be large.
async::Task<Result<void>> ContainerLife::removeDirectory(std::string path) {
  std::function<Result<void>()> remove = [directory = std::move(path)] { return kernel::removeTree(directory); };
  co_return co_await parts_.pool.run(std::move(remove));
}

async::Task<Result<void>> ContainerLife::recordEnd() {
  std::vector<state::Change> changes;
  changes.emplace_back(state::PutContainer{record()});
  if (!cleanupFailed_) {
    changes.emplace_back(state::StrikeAllFromLedger{container_->id().text()});
    changes.emplace_back(state::DeleteSavedStates{container_->id().text()});
  }
  CO_TRY_VOID(co_await parts_.store.commit(std::move(changes)));
  if (cleanupFailed_) co_return Result<void>();
  // Last: it holds the monitor's exit record, which the next agent needs if this one ends before the commit.
  co_return co_await removeDirectory(container_->runtimeDirectory);
}

async::Task<Result<void>> ContainerLife::launched() {
  const auto self = shared_from_this();
  CO_TRY_VOID(co_await launchedEvent_.wait());
  co_return *launchOutcome_;
}

async::Task<Result<Termination>> ContainerLife::ended() {
  const auto self = shared_from_this();
  CO_TRY_VOID(co_await endedEvent_.wait());
  co_return *termination_;
}

Result<void> ContainerLife::kill(int signal) {
  if (phase_ == Phase::Stopping || phase_ == Phase::Exited) return {};
  signal_ = signal;
  if (launchScope_ != nullptr) {
    launchScope_->cancel();
    return {};
  }
  if (!process_) {
    unsent_.insert(signal);
    return {};
  }
  auto sent = process_.signal(signal);
  if (!sent && sent.error().code() == Code::NotFound) return {};
  return sent;
}

async::Task<Result<void>> ContainerLife::remove() {
  const auto self = shared_from_this();
  if (phase_ != Phase::Exited || !endedEvent_.isSet()) {
    co_return Error(Code::Busy, fmt::format("container '{}' is still running", container_->id().text()));
  }
  if (clearing_)
    co_return Error(Code::Busy, fmt::format("container '{}' is being cleared away", container_->id().text()));
  clearing_ = true;
  Result<void> removed;
  if (cleanupFailed_) removed = co_await cleanUp();
  if (removed) {
    cleanupFailed_ = false;
    removed = co_await forget();
  }
  clearing_ = false;
  co_return removed;
}

// The record goes last, so that what fails before can be tried again.
async::Task<Result<void>> ContainerLife::forget() {
  auto removed = co_await removeDirectory(container_->runtimeDirectory);
  if (removed) removed = co_await removeDirectory(container_->stateDirectory);
  if (removed) {
    std::vector<state::Change> changes;
    changes.emplace_back(state::DeleteContainer{container_->id().text()});
    changes.emplace_back(state::StrikeAllFromLedger{container_->id().text()});
    removed = co_await parts_.store.commit(std::move(changes));
  }
  forgotten_ = removed.has_value();
  if (!removed) {
    log::error("a container could not be forgotten",
               {{"container", container_->id().text()}, {"reason", removed.error()}});
  }
  co_return removed;
}

async::Task<Result<std::unique_ptr<Attachment>>> ContainerLife::attach(Attachment::Ends ends) {
  const auto self = shared_from_this();
  if (!monitor_ || phase_ != Phase::Running) {
    co_return Error(Code::NotFound, fmt::format("container '{}' is not running", container_->id().text()));
  }
  co_return co_await monitor_->attach(ends);
}

void ContainerLife::addSession(std::shared_ptr<SessionLife> session) {
  std::erase_if(sessions_, [](const auto& known) { return known->hasEnded(); });
  sessions_.push_back(std::move(session));
}

ContainerStatus ContainerLife::status() const {
  ContainerStatus status(container_);
  status.phase = phase_;
  status.created = created_;
  status.started = started_;
  status.finished = finished_;
  status.pid = process_ ? init_.pid : 0;
  if (phase_ == Phase::Running) status.networks = parts_.isolators.networks(*container_);
  status.termination = termination_;
  status.imageDigest = imageDigest_;
  return status;
}

void ContainerLife::setPhase(Phase phase) {
  if (phase_ == phase) return;
  ENSURE(mayFollow(phase_, phase),
         fmt::format("a container cannot go from {} to {}", toString(phase_), toString(phase)));
  phase_ = phase;
}

state::ContainerRecord ContainerLife::record() const {
  state::ContainerRecord record{.id = container_->id().text(),
                                .request = requestJson_,
                                .image = imageJson_,
                                .phase = std::string(toString(phase_)),
                                .created = nanoseconds(created_),
                                .started = mapped(started_, nanoseconds),
                                .finished = mapped(finished_, nanoseconds),
                                .pid = init_.pid,
                                .startTime = init_.startTime};
  if (termination_) {
    record.terminationState = termination_->state;
    record.terminationReason = termination_->reason;
    record.terminationMessage = termination_->message;
    record.waitStatus = termination_->waitStatus;
  }
  return record;
}

}  // namespace gantry::agent
