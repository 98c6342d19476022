#include "agent/containers/session_life.hpp"

#include <fcntl.h>
#include <csignal>

#include <fmt/format.h>

#include "agent/containers/bundle.hpp"
#include "agent/containers/container_life.hpp"
#include "agent/containers/termination.hpp"
#include "agent/containers/user.hpp"
#include "async/scope.hpp"
#include "base/log.hpp"
#include "kernel/file.hpp"

namespace gantry::agent {
namespace {

constexpr async::Duration kCreateDeadline = std::chrono::seconds(60);
// How long an attached client may still read when the container ends.
constexpr async::Duration kStopGrace = std::chrono::milliseconds(200);

isolators::Container containerFor(const EngineSettings& settings, const isolators::Container& parent,
                                  const SessionRequest& request) {
  isolators::ContainerRequest asContainer(request.id);
  asContainer.command = request.command;
  asContainer.terminal = request.terminal;
  isolators::Container container = containerOf(settings, std::move(asContainer));
  container.stateDirectory = parent.stateDirectory;
  container.sandbox = parent.sandbox;
  container.cgroupPath = parent.cgroupPath;
  return container;
}

}  // namespace

SessionLife::SessionLife(EngineParts& parts, isolators::ContainerPtr parent, SessionRequest request)
    : parts_(parts),
      container_(std::make_shared<const isolators::Container>(containerFor(parts.settings, *parent, request))),
      parent_(std::move(parent)),
      request_(std::move(request)),
      launchedEvent_(parts.executor),
      endedEvent_(parts.executor) {}

async::Task<> SessionLife::run() {
  const auto self = shared_from_this();
  auto outcome = co_await launch();
  const bool agentEnds = co_await async::isCancelled();
  // Its directory stays, by which the next agent finds and destroys it.
  if (agentEnds) co_return;
  launchOutcome_ = std::move(outcome);
  launchedEvent_.set();
  if (!*launchOutcome_) {
    destroy();
    end(failedBecause("REASON_CONTAINER_LAUNCH_FAILED", launchOutcome_->error().message()));
    co_return;
  }
  // Somebody gave it up meanwhile.
  if (signal_ && process_) ignore(process_.signal(SIGKILL), "it has ended");
  if (stopping_) ignore(monitor_->abandon(), "it has ended");
  const auto exited = co_await monitor_->exited();
  const bool cancelled = co_await async::isCancelled();
  if (cancelled) co_return;
  const ExitRecord exit = exited ? *exited : ExitRecord{.time = Clock::now()};
  finished_ = exit.time;
  end(explainEnd(exit, {}, signal_));
}

async::Task<Result<void>> SessionLife::launch() {
  CO_TRY_VOID(writeProcess());
  const EngineSettings& settings = parts_.settings;
  MonitorCommand command{.program = settings.monitorProgram,
                         .directory = container_->runtimeDirectory,
                         .runtime = settings.runtimeProgram,
                         .runtimeRoot = settings.runtimeRoot,
                         .id = parent_->id().text(),
                         .process = container_->runtimeDirectory + "/process.json",
                         .terminal = request_.terminal,
                         .openStdin = true};
  CO_TRY(monitor_, co_await parts_.monitors.start(std::move(command)));
  async::Task<Result<kernel::ProcessId>> created = monitor_->created();
  CO_TRY(const kernel::ProcessId id, co_await async::withTimeout(kCreateDeadline, std::move(created)));
  // A program that has ended already has an exit record; there is nothing left to signal then.
  auto process = kernel::Process::open(id);
  if (process) process_ = std::move(*process);
  co_return Result<void>();
}

// The container's own bundle says what a program in it may do.
Result<void> SessionLife::writeProcess() {
  TRY(const auto text, kernel::readFile(parent_->runtimeDirectory + "/config.json"));
  TRY(const oci::Spec bundle, oci::parseSpec(text));
  std::optional<ResolvedUser> user;
  if (request_.command.user) {
    TRY(const auto rootfs, kernel::open(bundle.root->path, O_PATH | O_DIRECTORY));
    TRY(user, resolveUser(rootfs, *request_.command.user).under("command.user"));
  }
  TRY(const oci::Process process, buildSession(bundle, request_, user));
  TRY_VOID(kernel::makeDirectories(container_->runtimeDirectory, 0700));
  TRY(const auto file,
      kernel::open(container_->runtimeDirectory + "/process.json", O_WRONLY | O_CREAT | O_TRUNC, 0600));
  return kernel::writeAll(file, oci::toJson(process));
}

// Of a launch that failed, at whatever step.
void SessionLife::destroy() {
  if (monitor_) ignore(monitor_->abandon(), "it has ended");
  killFirstProcess(container_->runtimeDirectory);
}

void SessionLife::end(Termination termination) {
  if (endedEvent_.isSet()) return;
  if (!finished_) finished_ = Clock::now();
  monitor_.reset();
  process_ = kernel::Process();
  const auto removed = kernel::removeTree(container_->runtimeDirectory);
  if (!removed) {
    log::warning("a session's directory is left", {{"container", request_.id.text()}, {"reason", removed.error()}});
  }
  termination_ = std::move(termination);
  endedEvent_.set();
}

async::Task<Result<void>> SessionLife::launched() {
  const auto self = shared_from_this();
  CO_TRY_VOID(co_await launchedEvent_.wait());
  co_return *launchOutcome_;
}

async::Task<Result<Termination>> SessionLife::ended() {
  const auto self = shared_from_this();
  CO_TRY_VOID(co_await endedEvent_.wait());
  co_return *termination_;
}

Result<void> SessionLife::kill(int signal) {
  if (hasEnded()) return {};
  signal_ = signal;
  if (!process_) return {};  // run() sees to it when there is one
  auto sent = process_.signal(signal);
  if (!sent && sent.error().code() == Code::NotFound) return {};
  return sent;
}

async::Task<> SessionLife::stop() {
  const auto self = shared_from_this();
  stopping_ = true;
  ignore(kill(SIGKILL), "it has ended");
  async::Task<Result<void>> ended = endedEvent_.wait();
  const auto inTime = co_await async::withTimeout(kStopGrace, std::move(ended));
  if (inTime) co_return;
  if (monitor_) ignore(monitor_->abandon(), "it has ended");
  ignore(co_await endedEvent_.wait(), "only a cancelled wait fails, and then the agent ends");
}

async::Task<Result<std::unique_ptr<Attachment>>> SessionLife::attach(Attachment::Ends ends) {
  const auto self = shared_from_this();
  if (!monitor_) co_return Error(Code::NotFound, fmt::format("session '{}' is not running", request_.id.text()));
  co_return co_await monitor_->attach(ends);
}

ContainerStatus SessionLife::status() const {
  ContainerStatus status(container_);
  status.phase = endedEvent_.isSet() ? Phase::Exited : launchedEvent_.isSet() ? Phase::Running : Phase::Creating;
  status.created = created_;
  status.finished = finished_;
  status.pid = process_ ? process_.pid() : 0;
  status.termination = termination_;
  return status;
}

}  // namespace gantry::agent
