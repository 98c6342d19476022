// How a container gets from its request to running: the pipeline, and its steps in their order.
#include <fcntl.h>

#include <utility>

#include "agent/containers/bundle.hpp"
#include "agent/containers/container_life.hpp"
#include "agent/containers/request_json.hpp"
#include "agent/containers/user.hpp"
#include "fetcher/messages.hpp"
#include "kernel/file.hpp"
#include "kernel/node.hpp"

namespace gantry::agent {
namespace {

using isolators::Container;
using isolators::ContainerRequest;

// A runtime that has not created the container by then hangs.
constexpr async::Duration kCreateDeadline = std::chrono::seconds(60);

Result<void> writeFile(const std::string& path, std::string_view text) {
  TRY(const auto file, kernel::open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600));
  return kernel::writeAll(file, text);
}

Result<ResolvedUser> userOf(const Container& container, const std::string& rootfs) {
  TRY(const auto directory, kernel::open(rootfs, O_PATH | O_DIRECTORY));
  const auto& asked = container.request.command.user;
  if (asked) return resolveUser(directory, *asked).under("command.user");
  return resolveUser(directory, container.imageConfig.config.user).under("the image's user");
}

async::Task<> cancelOnFailure(async::Task<Result<void>> work, async::Scope* all,
                              std::shared_ptr<Result<void>> outcome) {
  Result<void> own = co_await std::move(work);
  // What fails after the first failure most likely does because it was cancelled.
  if (own || !*outcome) co_return;
  *outcome = std::move(own);
  all->cancel();
}

// Runs all of `work` side by side; the first failure cancels the rest. Completes when every one has ended, with that
// failure.
async::Task<Result<void>> allOrNone(std::vector<async::Task<Result<void>>> work) {
  const async::Executor executor = co_await async::currentExecutor();
  const auto outcome = std::make_shared<Result<void>>();
  async::Scope scope(executor);
  for (async::Task<Result<void>>& task : work) {
    async::Task<> guarded = cancelOnFailure(std::move(task), &scope, outcome);
    scope.spawn(std::move(guarded));
  }
  co_await scope.join();
  co_return std::move(*outcome);
}

}  // namespace

async::Task<Result<void>> ContainerLife::launch() {
  CO_TRY_VOID(co_await recordIntent());
  CO_TRY_VOID(co_await prepare());
  CO_TRY_VOID(writeBundle());
  CO_TRY_VOID(co_await create());
  CO_TRY_VOID(co_await attachIsolators());
  CO_TRY_VOID(co_await start());
  co_return co_await recordRunning();
}

async::Task<> ContainerLife::launchInto(std::shared_ptr<std::optional<Result<void>>> outcome) {
  Result<void> launched = co_await launch();
  outcome->emplace(std::move(launched));
}

// What is going to exist is on disk before any of it does.
async::Task<Result<void>> ContainerLife::recordIntent() {
  CO_TRY(requestJson_, toJson(container_->request));
  std::vector<state::Change> changes;
  changes.emplace_back(state::PutContainer{record()});
  const std::string& id = container_->id().text();
  changes.emplace_back(state::AddToLedger{{id, "container", container_->cgroupPath}});
  for (auto& object : parts_.isolators.plan(*container_)) {
    changes.emplace_back(state::AddToLedger{{id, std::move(object.kind), std::move(object.name)}});
  }
  CO_TRY_VOID(co_await parts_.store.commit(std::move(changes)));
  // What a container writes, set-user-id programs among it, is nothing for the host's users. Without an image the
  // program itself is one of them, and must reach its sandbox, which then is for its owner alone, as Mesos' is.
  const bool hasImage = container_->request.image.has_value();
  CO_TRY_VOID(kernel::makeDirectories(container_->stateDirectory, hasImage ? 0700 : 0711));
  if (!container_->request.sandbox) {
    CO_TRY_VOID(kernel::makeDirectories(container_->sandbox, hasImage ? 0755 : 0750));
  }
  CO_TRY_VOID(kernel::makeDirectories(container_->runtimeDirectory, 0700));
  // For an agent that has lost its database and rebuilds it from what runs.
  co_return writeFile(container_->runtimeDirectory + "/request.json", requestJson_);
}

// The image is fetched while what does not need it, the network above all, is prepared. When one of the two fails, the
// other is not waited for.
async::Task<Result<void>> ContainerLife::prepare() {
  setPhase(Phase::Provisioning);
  std::vector<async::Task<Result<void>>> sides;
  sides.push_back(provision());
  sides.push_back(prepareBesideImage());
  CO_TRY_VOID(co_await allOrNone(std::move(sides)));

  setPhase(Phase::Preparing);
  CO_TRY(auto contributions, co_await parts_.isolators.prepare(container_, true));
  contributions_.merge(std::move(contributions));
  co_return Result<void>();
}

async::Task<Result<void>> ContainerLife::provision() {
  if (!container_->request.image) co_return Result<void>();
  std::string reference = *container_->request.image;
  const bool useCached = container_->request.useCachedImage;
  fetcher::ProgressSink silent;
  CO_TRY(const fetcher::Image image, co_await parts_.images.get(std::move(reference), useCached, std::move(silent)));
  CO_TRY(auto container, withImage(*container_, image));
  container_ = std::make_shared<const Container>(std::move(container));
  imageDigest_ = image.manifestDigest.text();
  imageJson_ = fetcher::imageToJson(image);
  co_return writeFile(container_->runtimeDirectory + "/image.json", imageJson_);
}

async::Task<Result<void>> ContainerLife::prepareBesideImage() {
  isolators::ContainerPtr bare = container_;
  CO_TRY(contributions_, co_await parts_.isolators.prepare(std::move(bare), false));
  co_return Result<void>();
}

Result<void> ContainerLife::writeBundle() {
  setPhase(Phase::Creating);
  // The agent's own is the first, so that everybody else's overrides it.
  std::vector<isolators::Contribution> contributions(1);
  contributions.front().rlimits = parts_.settings.rlimits;
  std::string rootfs;
  for (auto& [place, contribution] : contributions_) {
    if (contribution.rootfs) rootfs = *contribution.rootfs;
    contributions.push_back(std::move(contribution));
  }
  TRY(const ResolvedUser user, userOf(*container_, rootfs));
  const std::string& sandbox = container_->request.image ? parts_.settings.sandboxDirectory : container_->sandbox;
  TRY(const oci::Spec bundle, buildBundle(*container_, contributions, user, sandbox));
  TRY_VOID(kernel::changeOwnerAt(kernel::workingDirectory(), container_->sandbox, user.user.uid, user.user.gid));
  return writeFile(container_->runtimeDirectory + "/config.json", oci::toJson(bundle));
}

async::Task<Result<void>> ContainerLife::create() {
  const ContainerRequest& request = container_->request;
  const EngineSettings& settings = parts_.settings;
  MonitorCommand command{.program = settings.monitorProgram,
                         .directory = container_->runtimeDirectory,
                         .runtime = settings.runtimeProgram,
                         .runtimeRoot = settings.runtimeRoot,
                         .id = request.id.text(),
                         .bundle = container_->runtimeDirectory,
                         .terminal = request.terminal,
                         .openStdin = request.openStdin};
  command.logs = LogFiles{.standardOutput = container_->sandbox + "/stdout",
                          .standardError = container_->sandbox + "/stderr",
                          .size = settings.logSize,
                          .count = settings.logFiles};
  CO_TRY(monitor_, co_await parts_.monitors.start(std::move(command)));
  async::Task<Result<kernel::ProcessId>> created = monitor_->created();
  CO_TRY(init_, co_await async::withTimeout(kCreateDeadline, std::move(created)));
  // Opened at once and compared, so that it is this process and no other from here on.
  CO_TRY(process_, kernel::Process::open(init_));
  co_return Result<void>();
}

async::Task<Result<void>> ContainerLife::attachIsolators() {
  const pid_t pid = init_.pid;
  isolators::ContainerPtr container = container_;
  co_return co_await parts_.isolators.attach(std::move(container), pid);
}

async::Task<Result<void>> ContainerLife::start() {
  ContainerId id = container_->id();
  co_return co_await parts_.runtime.start(std::move(id));
}

async::Task<Result<void>> ContainerLife::recordRunning() {
  setPhase(Phase::Running);
  started_ = Clock::now();
  std::vector<state::Change> changes;
  changes.emplace_back(state::PutContainer{record()});
  co_return co_await parts_.store.commit(std::move(changes));
}

}  // namespace gantry::agent
