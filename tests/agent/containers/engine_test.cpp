#include "agent/containers/engine.hpp"

#include <csignal>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>

#include <gtest/gtest.h>

#include "async/run.hpp"
#include "oci/spec.hpp"
#include "tests/fakes/containers.hpp"
#include "tests/support/without_descriptors.hpp"

namespace gantry::agent {
namespace {

using isolators::ContainerRequest;
using Journal = std::vector<std::string>;

constexpr auto kSoon = std::chrono::seconds(10);

ContainerRequest request(const char* id = "web") {
  ContainerRequest made(*ContainerId::parse(id));
  made.command = {.shell = false, .value = "/bin/true"};
  return made;
}

ContainerId webId() {
  return *ContainerId::parse("web");
}

SessionRequest session(const char* id = "web.s1") {
  SessionRequest made(*ContainerId::parse(id));
  made.command = {.shell = false, .value = "/bin/sh"};
  return made;
}

// An agent's engine on a state directory of its own. restart() is the agent's `kill -9` and new start: the engine goes
// without a chance to do anything, and the next one finds what is on disk.
class EngineTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "gantry-engine-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
    std::filesystem::create_directories(directory_ + "/rootfs/etc");
    std::ofstream(directory_ + "/rootfs/etc/passwd") << "web:x:0:0::/:\n";
    images_.image.configJson = R"({"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}})";
    openState();
  }
  void TearDown() override {
    if (runs_.engine) run(engine().stop());
    end();
    std::filesystem::remove_all(directory_);
  }

  void openState() {
    auto opened = state::Database::open(directory_ + "/state.db");
    ASSERT_TRUE(opened) << opened.error().message();
    contents_ = opened->contents;
    std::vector<std::unique_ptr<isolators::Isolator>> list;
    list.push_back(isolator("files", true));
    list.push_back(isolator("net", false));
    list.push_back(isolator("limits", true));
    runs_.chain = std::make_unique<IsolatorChain>(std::move(list));
    runs_.store =
        std::make_unique<state::Store>(std::move(opened->database), contents_.savedStates, loop_.get_executor(), pool_);
    runs_.engine = std::make_unique<Engine>(EngineParts{.executor = loop_.get_executor(),
                                                        .settings = settings(),
                                                        .store = *runs_.store,
                                                        .images = images_,
                                                        .runtime = runtime_,
                                                        .monitors = monitors_,
                                                        .isolators = *runs_.chain,
                                                        .pool = deletions_});
  }

  std::unique_ptr<isolators::Isolator> isolator(const std::string& name, bool needsImage) {
    auto made = std::make_unique<fakes::Isolator>(script_, name, needsImage);
    if (name == "files") made->rootfs = directory_ + "/rootfs";
    if (name == "limits") {
      limitation_ = made->limitation;
      made->found = leftovers_;
    }
    return made;
  }

  EngineSettings settings() const {
    return {.workDirectory = directory_ + "/work",
            .runtimeDirectory = directory_ + "/run",
            .rlimits = {{"RLIMIT_NOFILE", 1024, 4096}},
            .keptSessions = 2};
  }

  template <typename T>
  T run(async::Task<T> work) {
    return async::runUntilDone(loop_, std::move(work));
  }
  void run(async::Task<> work) { async::runUntilDone(loop_, std::move(work)); }

  void end() {
    runs_.engine.reset();
    runs_.store.reset();
    runs_.chain.reset();
  }
  Result<LaunchOutcome> launch(ContainerRequest wanted) { return run(engine().launch(std::move(wanted))); }
  Engine& engine() { return *runs_.engine; }

  // Starts a launch that hangs at a step and leaves it there.
  void launchInto(const std::string& step, ContainerRequest wanted) {
    script_->hanging.insert(step);
    run(launchUntil(&engine(), script_, step, std::move(wanted)));
  }
  static async::Task<> ignoreLaunch(Engine* engine, ContainerRequest wanted) {
    ignore(co_await engine->launch(std::move(wanted)), "it hangs");
  }
  static async::Task<> launchUntil(Engine* engine, fakes::ScriptPtr script, std::string step, ContainerRequest wanted) {
    const async::Executor executor = co_await async::currentExecutor();
    async::Scope scope(executor);
    scope.spawn(ignoreLaunch(engine, std::move(wanted)));
    while (!script->noted(step)) ignore(co_await async::sleep(std::chrono::milliseconds(1)), "only cancelled");
    scope.cancel();
    co_await scope.join();
  }

  void restart() {
    run(engine().stop());
    end();
    script_->hanging.clear();
    script_->failing.clear();
    script_->journal.clear();
    openState();
    ASSERT_TRUE(run(engine().recover(contents_, false)));
  }

  state::Contents storedContents() {
    run(engine().stop());
    end();
    auto opened = state::Database::open(directory_ + "/state.db");
    EXPECT_TRUE(opened);
    return opened->contents;
  }
  // What an agent that is killed now leaves in its database.
  state::Contents contentsNow() const {
    const std::string copy = directory_ + "/copy";
    std::filesystem::create_directories(copy);
    for (const char* name : {"/state.db", "/state.db-wal"}) {
      std::filesystem::copy_file(directory_ + name, copy + name, std::filesystem::copy_options::overwrite_existing);
    }
    auto opened = state::Database::open(copy + "/state.db");
    EXPECT_TRUE(opened);
    return opened->contents;
  }
  bool exists(const std::string& path) const { return std::filesystem::exists(directory_ + path); }
  void expectNothingLeft() {
    EXPECT_FALSE(exists("/work/containers/web"));
    EXPECT_FALSE(exists("/run/containers/web"));
    const state::Contents contents = storedContents();
    EXPECT_TRUE(contents.containers.empty());
    EXPECT_TRUE(contents.ledger.empty());
  }

  std::string directory_;
  async::Loop loop_;
  async::WorkerPool pool_;
  async::WorkerPool deletions_{1};
  fakes::ScriptPtr script_ = std::make_shared<fakes::Script>();
  fakes::Images images_{script_};
  fakes::Runtime runtime_{script_};
  fakes::Monitors monitors_{script_};
  std::shared_ptr<std::optional<isolators::Limitation>> limitation_;
  std::vector<std::string> leftovers_;
  state::Contents contents_;
  struct Runs {
    std::unique_ptr<IsolatorChain> chain;
    std::unique_ptr<state::Store> store;
    std::unique_ptr<Engine> engine;
  };
  Runs runs_;
};

TEST_F(EngineTest, GoesThroughTheStepsInOrder) {
  ASSERT_TRUE(launch(request()));
  EXPECT_EQ(script_->journal,
            (Journal{"prepare net", "prepare files", "prepare limits", "monitor start", "monitor created",
                     "attach files", "attach net", "attach limits", "runtime start"}));
  const Result<ContainerStatus> status = engine().status(webId());
  ASSERT_TRUE(status);
  EXPECT_EQ(status->phase, Phase::Running);
  EXPECT_GT(status->pid, 0);
}

TEST_F(EngineTest, FoldsContributionsInListOrderWhateverWasPreparedFirst) {
  ASSERT_TRUE(launch(request()));
  const auto text = kernel::readFile(directory_ + "/run/containers/web/config.json");
  ASSERT_TRUE(text);
  const auto bundle = oci::parseSpec(*text);
  ASSERT_TRUE(bundle);
  EXPECT_EQ(bundle->process->env.back(), "LAST=limits");
}

TEST_F(EngineTest, CleansUpInReverseAndTellsHowItEnded) {
  ASSERT_TRUE(launch(request()));
  script_->journal.clear();
  ASSERT_TRUE(run(engine().kill(webId(), 15)));
  const auto termination = run(engine().wait(webId()));
  ASSERT_TRUE(termination);
  EXPECT_EQ(termination->waitStatus, 15);
  EXPECT_EQ(termination->message, "was killed by SIGTERM (15), as requested");
  EXPECT_FALSE(termination->state);
  EXPECT_EQ(script_->journal, (Journal{"runtime remove", "cleanup limits", "cleanup net", "cleanup files"}));
  EXPECT_FALSE(exists("/run/containers/web"));
  EXPECT_TRUE(exists("/work/containers/web/sandbox"));
  EXPECT_EQ(engine().status(webId())->phase, Phase::Exited);

  ASSERT_TRUE(run(engine().remove(webId())));
  EXPECT_EQ(run(engine().remove(webId())).error().code(), Code::NotFound);
  expectNothingLeft();
}

TEST_F(EngineTest, CleansUpEverythingEvenWhenPartsFail) {
  ASSERT_TRUE(launch(request()));
  script_->failing = {"runtime remove", "cleanup net"};
  script_->journal.clear();
  ASSERT_TRUE(run(engine().kill(webId(), 9)));
  ASSERT_TRUE(run(engine().wait(webId())));
  EXPECT_EQ(script_->journal, (Journal{"runtime remove", "cleanup limits", "cleanup net", "cleanup files"}));
  EXPECT_EQ(engine().counters().cleanupFailures, 1U);
  EXPECT_FALSE(run(engine().remove(webId())));
  script_->failing.clear();
  ASSERT_TRUE(run(engine().remove(webId())));
  expectNothingLeft();
}

class FailingStep : public EngineTest, public testing::WithParamInterface<const char*> {};

TEST_P(FailingStep, LeavesNothingBehind) {
  ContainerRequest wanted = request();
  wanted.image = "docker://example.com/a:b";
  script_->failing.insert(GetParam());
  const auto launched = launch(wanted);
  ASSERT_FALSE(launched);
  EXPECT_NE(launched.error().message().find(GetParam()), std::string::npos) << launched.error().message();
  EXPECT_EQ(run(engine().wait(webId())).error().code(), Code::NotFound);
  EXPECT_TRUE(script_->noted("cleanup files"));
  EXPECT_TRUE(script_->noted("cleanup limits"));
  expectNothingLeft();
}

TEST_P(FailingStep, IsGivenUpByAKill) {
  ContainerRequest wanted = request();
  wanted.image = "docker://example.com/a:b";
  launchInto(GetParam(), wanted);
  ASSERT_TRUE(run(engine().kill(webId(), 9)));
  const auto termination = run(engine().wait(webId()));
  ASSERT_TRUE(termination);
  EXPECT_EQ(termination->message, "the launch was given up for SIGKILL");
  expectNothingLeft();
}

TEST_P(FailingStep, WhenTheAgentIsKilledThereIsReportedByTheNext) {
  ContainerRequest wanted = request();
  wanted.image = "docker://example.com/a:b";
  launchInto(GetParam(), wanted);
  restart();
  const auto termination = run(engine().wait(webId()));
  ASSERT_TRUE(termination) << termination.error().message();
  EXPECT_EQ(termination->message, "the agent was restarted while the container was launched");
  EXPECT_EQ(termination->state, "TASK_FAILED");
  EXPECT_EQ(script_->journal, (Journal{"runtime remove", "cleanup limits", "cleanup net", "cleanup files"}));
  ASSERT_TRUE(run(engine().remove(webId())));
  expectNothingLeft();
}

INSTANTIATE_TEST_SUITE_P(Steps, FailingStep,
                         testing::Values("image get", "prepare net", "prepare files", "prepare limits", "monitor start",
                                         "monitor created", "attach files", "attach limits", "runtime start"),
                         [](const auto& step) {
                           std::string name = step.param;
                           std::erase(name, ' ');
                           return name;
                         });

TEST_F(EngineTest, AFailingNetworkDoesNotWaitForTheImage) {
  ContainerRequest wanted = request();
  wanted.image = "docker://example.com/a:b";
  script_->hanging.insert("image get");
  script_->failing.insert("prepare net");
  const auto launched = run(async::withTimeout(kSoon, engine().launch(wanted)));
  ASSERT_FALSE(launched);
  EXPECT_EQ(launched.error().message(), "net: prepare net fails");
  expectNothingLeft();
}

TEST_F(EngineTest, AContainerDoesNotInheritTheAgentsOwnLimits) {
  ASSERT_TRUE(launch(request()));
  ContainerRequest asking = request("asking");
  asking.rlimits = {{"RLIMIT_NOFILE", 5, 6}};
  ASSERT_TRUE(launch(asking));
  const auto limitsOf = [&](const char* id) {
    const auto text = kernel::readFile(directory_ + "/run/containers/" + id + "/config.json");
    return oci::parseSpec(*text)->process->rlimits;
  };
  EXPECT_EQ(limitsOf("web"), (std::vector<oci::Rlimit>{{"RLIMIT_NOFILE", 1024, 4096}}));
  EXPECT_EQ(limitsOf("asking"), (std::vector<oci::Rlimit>{{"RLIMIT_NOFILE", 5, 6}}));
}

TEST_F(EngineTest, RefusesBeforeAnythingIsTouched) {
  script_->failing.insert("check limits");
  const auto launched = launch(request());
  ASSERT_FALSE(launched);
  EXPECT_EQ(launched.error().message(), "limits: is refused");
  EXPECT_TRUE(script_->journal.empty());
  expectNothingLeft();
}

TEST_F(EngineTest, NamesAUserThatTheImageDoesNotHave) {
  ContainerRequest wanted = request();
  wanted.command.user = "bob";
  const auto launched = launch(wanted);
  ASSERT_FALSE(launched);
  EXPECT_EQ(launched.error().message(), "command.user: user 'bob' is not in the container's /etc/passwd");
  expectNothingLeft();
}

TEST_F(EngineTest, TellsADuplicateFromAContradiction) {
  ASSERT_TRUE(launch(request()));
  const auto again = launch(request());
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, LaunchOutcome::AlreadyLaunched);
  ContainerRequest other = request();
  other.command.value = "/bin/false";
  const auto refused = launch(other);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::AlreadyExists);
  EXPECT_EQ(refused.error().message(), "container_id: 'web' exists with another request");
}

TEST_F(EngineTest, StopsAContainerThatAnIsolatorLimits) {
  ASSERT_TRUE(launch(request()));
  *limitation_ = isolators::Limitation{.reason = "REASON_CONTAINER_LIMITATION_MEMORY", .message = "too much memory"};
  const auto termination = run(engine().wait(webId()));
  ASSERT_TRUE(termination);
  EXPECT_EQ(termination->message, "too much memory");
  EXPECT_EQ(termination->state, "TASK_FAILED");
  EXPECT_EQ(termination->reason, "REASON_CONTAINER_LIMITATION_MEMORY");
  EXPECT_EQ(termination->waitStatus, 9);
}

TEST_F(EngineTest, StopsAContainerThatLosesItsMonitor) {
  ASSERT_TRUE(launch(request()));
  monitors_.lostOne = true;
  const auto termination = run(engine().wait(webId()));
  ASSERT_TRUE(termination);
  EXPECT_EQ(termination->message, "its monitor was killed, and so it was stopped");
  EXPECT_EQ(termination->reason, "REASON_IO_SWITCHBOARD_EXITED");
}

TEST_F(EngineTest, ARunningContainerIsNotRemoved) {
  ASSERT_TRUE(launch(request()));
  EXPECT_EQ(run(engine().remove(webId())).error().code(), Code::Busy);
  EXPECT_EQ(run(engine().kill(webId(), 0)).error().code(), Code::InvalidArgument);
  EXPECT_EQ(run(engine().kill(*ContainerId::parse("no"), 9)).error().code(), Code::NotFound);
}

TEST_F(EngineTest, ARunningContainerGoesOnAfterARestart) {
  ASSERT_TRUE(launch(request()));
  const pid_t pid = engine().status(webId())->pid;
  restart();
  EXPECT_TRUE(run(engine().kill(*ContainerId::parse("web"), 15)));
  const auto termination = run(engine().wait(webId()));
  ASSERT_TRUE(termination);
  EXPECT_EQ(termination->waitStatus, 15);
  EXPECT_TRUE(script_->noted("recover files"));
  EXPECT_GT(pid, 0);
}

TEST_F(EngineTest, AContainerOutlivesThatItsMonitorCannotBeReachedForAWhile) {
  ASSERT_TRUE(launch(request()));
  monitors_.unreachable = 2;
  restart();
  while (monitors_.unreachable > 0) ASSERT_TRUE(run(async::sleep(std::chrono::milliseconds(1))));
  while (!script_->noted("recover files")) ASSERT_TRUE(run(async::sleep(std::chrono::milliseconds(1))));
  EXPECT_EQ(engine().status(webId())->phase, Phase::Running);
  ASSERT_TRUE(run(engine().kill(webId(), SIGTERM)));
  EXPECT_EQ(run(engine().wait(webId()))->waitStatus, SIGTERM);
}

TEST_F(EngineTest, AKillReachesAContainerWhoseMonitorCannotBeReached) {
  ASSERT_TRUE(launch(request()));
  monitors_.unreachable = 1;
  restart();
  while (monitors_.unreachable > 0) ASSERT_TRUE(run(async::sleep(std::chrono::milliseconds(1))));
  ASSERT_TRUE(run(engine().kill(webId(), SIGTERM)));
  EXPECT_EQ(run(engine().wait(webId()))->message, "was killed by SIGTERM (15), as requested");
}

async::Task<Result<void>> recoverAndKillWithoutDescriptors(Engine* engine, state::Contents contents) {
  CO_TRY_VOID(co_await engine->recover(std::move(contents), false));
  const tests::WithoutDescriptors none;
  CO_TRY_VOID(co_await async::sleep(std::chrono::milliseconds(20)));
  co_return co_await engine->kill(webId(), SIGKILL);
}

TEST_F(EngineTest, AKillReachesAContainerWhoseProcessCouldNotBeOpened) {
  ASSERT_TRUE(launch(request()));
  run(engine().stop());
  end();
  openState();
  ASSERT_TRUE(run(recoverAndKillWithoutDescriptors(&engine(), contents_)));
  EXPECT_EQ(engine().status(webId())->pid, 0);
  const auto termination = run(async::withTimeout(kSoon, engine().wait(webId())));
  ASSERT_TRUE(termination) << termination.error().message();
  EXPECT_EQ(termination->message, "was killed by SIGKILL (9), as requested");
}

TEST_F(EngineTest, TellsHowAContainerEndedWhileThereWasNoAgent) {
  ASSERT_TRUE(launch(request()));
  const pid_t pid = engine().status(webId())->pid;
  run(engine().stop());
  ASSERT_EQ(::kill(pid, SIGINT), 0);
  restart();
  const auto termination = run(engine().wait(webId()));
  ASSERT_TRUE(termination);
  EXPECT_EQ(termination->message, "was killed by SIGINT (2)");
}

TEST_F(EngineTest, RemembersWhatHasEndedOverARestart) {
  ASSERT_TRUE(launch(request()));
  ASSERT_TRUE(run(engine().kill(webId(), 15)));
  ASSERT_TRUE(run(engine().wait(webId())));
  restart();
  EXPECT_EQ(run(engine().wait(webId()))->message, "was killed by SIGTERM (15), as requested");
  EXPECT_TRUE(script_->journal.empty());
  ASSERT_TRUE(run(engine().remove(webId())));
  expectNothingLeft();
}

// Holds every deletion up until the end of "web" is on record, or for some seconds.
async::Task<bool> isRecordedBeforeDeletion(async::WorkerPool* deletions, Engine* engine,
                                           std::function<state::Contents()> contentsNow) {
  const async::Executor executor = co_await async::currentExecutor();
  const auto release = std::make_shared<std::promise<void>>();
  std::function<bool()> wait = [release] {
    release->get_future().wait();
    return true;
  };
  async::Scope scope(executor);
  auto kept = std::make_shared<std::optional<bool>>();
  scope.spawn(async::detail::keep(deletions->run(std::move(wait)), kept));
  ignore(co_await engine->kill(webId(), SIGTERM), "it runs");
  bool recorded = false;
  for (int looks = 0; looks < 500 && !recorded; ++looks) {
    ignore(co_await async::sleep(std::chrono::milliseconds(10)), "only cancelled");
    const state::Contents contents = contentsNow();
    recorded = contents.containers.at(0).phase == "Exited" && contents.containers.at(0).waitStatus == SIGTERM;
  }
  release->set_value();
  co_await scope.join();
  co_return recorded;
}

TEST_F(EngineTest, WhatTheMonitorNotedStaysUntilTheEndIsOnRecord) {
  ASSERT_TRUE(launch(request()));
  EXPECT_TRUE(run(isRecordedBeforeDeletion(&deletions_, &engine(), [this] { return contentsNow(); })));
  ASSERT_TRUE(run(engine().wait(webId())));
  EXPECT_FALSE(exists("/run/containers/web"));
}

TEST_F(EngineTest, ClearsAwayWhatAnAgentThatWasKilledAfterTheEndLeft) {
  ASSERT_TRUE(launch(request()));
  ASSERT_TRUE(run(engine().kill(webId(), 15)));
  ASSERT_TRUE(run(engine().wait(webId())));
  std::filesystem::create_directories(directory_ + "/run/containers/web");
  restart();
  EXPECT_EQ(run(engine().wait(webId()))->waitStatus, 15);
  Result<void> removed = run(engine().remove(webId()));
  for (; !removed && removed.error().code() == Code::Busy; removed = run(engine().remove(webId()))) {
  }
  ASSERT_TRUE(removed);
  EXPECT_TRUE(script_->noted("cleanup net"));
  expectNothingLeft();
}

TEST_F(EngineTest, WhatIsBeingClearedAwayIsNotRemovedBeside) {
  ASSERT_TRUE(launch(request()));
  script_->failing = {"cleanup net"};
  ASSERT_TRUE(run(engine().kill(webId(), 9)));
  ASSERT_TRUE(run(engine().wait(webId())));
  run(engine().stop());
  end();
  script_->failing.clear();
  script_->journal.clear();
  script_->hanging = {"cleanup net"};
  openState();
  ASSERT_TRUE(run(engine().recover(contents_, false)));
  while (!script_->noted("cleanup net")) ASSERT_TRUE(run(async::sleep(std::chrono::milliseconds(1))));
  EXPECT_EQ(run(engine().remove(webId())).error().message(), "container 'web' is being cleared away");
}

TEST_F(EngineTest, DestroysWhatBelongsToNobody) {
  leftovers_ = {"stray"};
  std::filesystem::create_directories(directory_ + "/run/containers/lost");
  restart();
  EXPECT_EQ(engine().counters().orphansDestroyed, 2U);
  EXPECT_FALSE(exists("/run/containers/lost"));
  EXPECT_EQ(std::ranges::count(script_->journal, "cleanup limits"), 2);
}

TEST_F(EngineTest, ReportsWhatDidNotSurviveAReboot) {
  restart();
  ASSERT_TRUE(launch(request()));
  const std::vector<state::Change> changes{state::PutFact{"boot_id", "another"}};
  ASSERT_TRUE(run(runs_.store->commit(changes)));
  restart();
  const auto termination = run(engine().wait(webId()));
  ASSERT_TRUE(termination);
  EXPECT_EQ(termination->message, "the host was rebooted while the container was running");
}

TEST_F(EngineTest, AStartThatIsCutAfterARebootDoesNotHideItFromTheNext) {
  ASSERT_TRUE(launch(request()));
  const std::vector<state::Change> changes{state::PutFact{"boot_id", "another"}};
  ASSERT_TRUE(run(runs_.store->commit(changes)));
  run(engine().stop());
  end();
  openState();
  script_->hanging = {"cleanup net"};
  const auto cut = run(async::withTimeout(std::chrono::milliseconds(100), engine().recover(contents_, false)));
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().code(), Code::Timeout);
  EXPECT_EQ(contentsNow().facts.at("boot_id"), "another");

  restart();
  EXPECT_EQ(run(engine().wait(webId()))->message, "the host was rebooted while the container was running");
  EXPECT_EQ(storedContents().facts.at("boot_id"), *kernel::bootId());
}

TEST_F(EngineTest, LeavesAContainerAloneWhoseRecordItCannotRead) {
  ASSERT_TRUE(launch(request()));
  ASSERT_TRUE(run(engine().launchSession(session())));
  state::ContainerRecord broken = contentsNow().containers.at(0);
  broken.request = "{";
  const std::vector<state::Change> changes{state::PutContainer{broken}};
  ASSERT_TRUE(run(runs_.store->commit(changes)));
  leftovers_ = {"web"};
  restart();

  EXPECT_EQ(engine().counters().orphansDestroyed, 0U);
  EXPECT_TRUE(script_->journal.empty());
  EXPECT_EQ(monitors_.running(), 2U) << "the container and its session";
  EXPECT_TRUE(exists("/run/containers/web/config.json"));
  const std::string sentence = "container 'web' exists, but its record cannot be read";
  EXPECT_EQ(launch(request()).error().message(), sentence);
  EXPECT_EQ(run(engine().remove(webId())).error().message(), sentence);
  EXPECT_EQ(run(engine().kill(session().id, SIGKILL)).error().code(), Code::Unavailable);
  EXPECT_TRUE(engine().layersInUse());

  const state::Contents contents = storedContents();
  ASSERT_EQ(contents.containers.size(), 1U);
  EXPECT_EQ(contents.containers[0].request, "{");
  EXPECT_FALSE(contents.ledger.empty());
}

TEST_F(EngineTest, KnowsWhenItDoesNotKnowAContainersLayers) {
  const state::ContainerRecord broken{.id = "web", .request = "{", .image = "{", .phase = "Running"};
  const std::vector<state::Change> changes{state::PutContainer{broken}};
  ASSERT_TRUE(run(runs_.store->commit(changes)));
  restart();
  const auto layers = engine().layersInUse();
  ASSERT_FALSE(layers);
  EXPECT_EQ(layers.error().message(), "the layers of container 'web' are not known");
}

TEST_F(EngineTest, RebuildsItsRecordsFromWhatRuns) {
  ASSERT_TRUE(launch(request()));
  const auto init = kernel::identify(engine().status(webId())->pid);
  std::ofstream(directory_ + "/run/containers/web/init") << init->pid << ' ' << init->startTime << '\n';
  run(engine().stop());
  end();
  std::filesystem::remove(directory_ + "/state.db");
  std::filesystem::remove(directory_ + "/state.db-wal");
  openState();
  ASSERT_TRUE(run(engine().recover(contents_, true)));
  EXPECT_EQ(engine().status(webId())->phase, Phase::Running);
  ASSERT_TRUE(run(engine().kill(webId(), 15)));
  EXPECT_EQ(run(engine().wait(webId()))->waitStatus, 15);
}

TEST_F(EngineTest, ASessionRunsInItsContainerAndEndsWithIt) {
  ASSERT_TRUE(launch(request()));
  ASSERT_TRUE(run(engine().launchSession(session())));
  const MonitorCommand& command = monitors_.commands.back();
  EXPECT_EQ(command.id, "web");
  EXPECT_FALSE(command.logs);
  const auto text = kernel::readFile(command.process);
  ASSERT_TRUE(text);
  EXPECT_EQ(oci::parseProcess(*text)->args, (std::vector<std::string>{"/bin/sh"}));
  EXPECT_EQ(run(engine().launchSession(session())).error().code(), Code::AlreadyExists);

  ASSERT_TRUE(run(engine().kill(webId(), 9)));
  ASSERT_TRUE(run(engine().wait(webId())));
  const auto termination = run(engine().wait(session().id));
  ASSERT_TRUE(termination);
  EXPECT_EQ(termination->waitStatus, 9);
  EXPECT_FALSE(exists("/run/containers/web.s1"));
  ASSERT_TRUE(run(engine().remove(webId())));
  EXPECT_EQ(run(engine().wait(session().id)).error().code(), Code::NotFound);
}

TEST_F(EngineTest, ForgetsTheOldestOfManyEndedSessions) {
  ASSERT_TRUE(launch(request()));
  for (const char* id : {"web.a", "web.c", "web.b", "web.d"}) {
    ASSERT_TRUE(run(engine().launchSession(session(id))));
    ASSERT_TRUE(run(engine().kill(*ContainerId::parse(id), 9)));
    ASSERT_TRUE(run(engine().wait(*ContainerId::parse(id))));
  }
  const auto knows = [this](const char* id) { return engine().status(*ContainerId::parse(id)).has_value(); };
  EXPECT_FALSE(knows("web.a"));
  EXPECT_TRUE(knows("web.c"));
  EXPECT_TRUE(knows("web.b"));
  EXPECT_TRUE(knows("web.d"));
}

TEST_F(EngineTest, TheSandboxIsNotForEverybodyOnTheHost) {
  ASSERT_TRUE(launch(request()));
  const auto others = std::filesystem::status(directory_ + "/work/containers/web/sandbox").permissions() &
                      std::filesystem::perms::others_all;
  EXPECT_EQ(others, std::filesystem::perms::none);
}

TEST_F(EngineTest, ASessionNeedsARunningContainer) {
  EXPECT_EQ(run(engine().launchSession(session())).error().code(), Code::NotFound);
  EXPECT_EQ(run(engine().launchSession(session("web"))).error().code(), Code::InvalidArgument);
}

TEST_F(EngineTest, ASessionThatFailsIsForgotten) {
  ASSERT_TRUE(launch(request()));
  script_->failing.insert("session created");
  EXPECT_FALSE(run(engine().launchSession(session())));
  EXPECT_FALSE(exists("/run/containers/web.s1"));
  EXPECT_EQ(run(engine().wait(session().id)).error().code(), Code::NotFound);
}

// A client that hangs up, as http/ tells it: the handler is cancelled.
async::Task<> leaveDuringLaunch(Engine* engine, fakes::ScriptPtr script) {
  const async::Executor executor = co_await async::currentExecutor();
  async::Scope scope(executor);
  auto outcome = std::make_shared<std::optional<Result<void>>>();
  scope.spawn(async::detail::keep(engine->launchSession(session()), outcome));
  while (!script->noted("session created")) ignore(co_await async::sleep(std::chrono::milliseconds(1)), "cancelled");
  scope.cancel();
  co_await scope.join();
}

TEST_F(EngineTest, ASessionWhoseClientLeavesDuringTheLaunchIsEnded) {
  ASSERT_TRUE(launch(request()));
  script_->hanging = {"session created"};
  run(leaveDuringLaunch(&engine(), script_));
  EXPECT_EQ(run(engine().wait(session().id)).error().code(), Code::NotFound);
  for (int looks = 0; looks < 2000 && exists("/run/containers/web.s1"); ++looks) {
    ASSERT_TRUE(run(async::sleep(std::chrono::milliseconds(1))));
  }
  EXPECT_FALSE(exists("/run/containers/web.s1"));
  EXPECT_EQ(monitors_.running(), 1U);
}

TEST_F(EngineTest, AKillDuringTheLaunchOfASessionIsNotLost) {
  ASSERT_TRUE(launch(request()));
  script_->hanging = {"session created"};
  async::Scope scope(loop_.get_executor());
  auto outcome = std::make_shared<std::optional<Result<void>>>();
  scope.spawn(async::detail::keep(engine().launchSession(session()), outcome));
  while (!script_->noted("session created")) ASSERT_TRUE(run(async::sleep(std::chrono::milliseconds(1))));
  ASSERT_TRUE(run(engine().kill(session().id, SIGTERM)));
  script_->hanging.clear();
  run(scope.join());
  EXPECT_EQ(run(engine().wait(session().id))->waitStatus, SIGKILL);
}

TEST_F(EngineTest, ASessionDoesNotOutliveTheAgent) {
  ASSERT_TRUE(launch(request()));
  ASSERT_TRUE(run(engine().launchSession(session())));
  restart();
  EXPECT_FALSE(exists("/run/containers/web.s1"));
  EXPECT_EQ(engine().status(webId())->phase, Phase::Running);
}

}  // namespace
}  // namespace gantry::agent
