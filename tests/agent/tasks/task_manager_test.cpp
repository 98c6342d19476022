#include "agent/tasks/task_manager.hpp"

#include <csignal>

#include <functional>
#include <future>

#include "tests/agent/tasks/task_world.hpp"

namespace gantry::agent::tasks {
namespace {

using namespace std::chrono_literals;

class TasksTest : public TaskWorld {
 protected:
  void SetUp() override {
    TaskWorld::SetUp();
    tasks_->connected(master_);
  }

  static async::Task<> hold(async::WorkerPool& pool, std::shared_future<void> released) {
    std::function<Result<void>()> wait = [released] {
      released.wait();
      return Result<void>();
    };
    ignore(co_await pool.run(std::move(wait)), "it only waits");
  }
};

constexpr int kExit3 = 3 << 8;

TEST_F(TasksTest, ATaskStartsRunsAndFinishes) {
  launchUntilRunning("a");
  containers_->end(containerOf("a"), 0);
  acknowledgeUntil("a", TaskState::Finished);

  EXPECT_EQ(master_.told("a"), (States{"TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"}));
  const TaskStatus& end = lastOf("a").status;
  EXPECT_EQ(end.message, "Command exited with status 0");
  EXPECT_EQ(end.source, Source::Executor);
  EXPECT_FALSE(end.reason);
  EXPECT_EQ(end.uuid.size(), 16U);
  EXPECT_EQ(end.networks.at(0).addresses.at(0), "10.1.2.3");
  EXPECT_EQ(end.pid, 4711);
  EXPECT_EQ(containers_->count(), 0U) << "its end is on record, and its container's record has gone";
  EXPECT_TRUE(tasks_->snapshot().frameworks.empty());
  ASSERT_EQ(tasks_->snapshot().completedFrameworks.size(), 1U);
  EXPECT_EQ(tasks_->snapshot().completedFrameworks[0].completed.at(0).state, TaskState::Finished);
}

TEST_F(TasksTest, AContainerThatIsStillClearedAwayIsForgottenLater) {
  containers_->busyRemovals = 2;
  launchUntilRunning("a");
  containers_->end(containerOf("a"), 0);
  acknowledgeUntil("a", TaskState::Finished);
  until([&] { return containers_->count() == 0; });
}

TEST_F(TasksTest, AnUpdateWaitsForTheAcknowledgementOfTheOneBefore) {
  launch("a");
  until([&] { return master_.updates.size() == 1; });
  containers_->end(containerOf("a"), kExit3);
  settle();
  ASSERT_EQ(master_.told("a"), States{"TASK_STARTING"});
  EXPECT_EQ(tasks_->snapshot().frameworks.at(0).active.at(0).state, TaskState::Failed);
  EXPECT_EQ(tasks_->snapshot().frameworks.at(0).active.at(0).sentState, TaskState::Starting);

  tasks_->acknowledge("F", "a", "something else");
  settle();
  EXPECT_EQ(master_.updates.size(), 1U);
  acknowledge(master_.updates[0]);
  until([&] { return master_.updates.size() == 2; });
  EXPECT_EQ(master_.updates[1].status.state, TaskState::Running);
  EXPECT_EQ(master_.updates[1].latestState, TaskState::Failed) << "ahead of what is told";
  acknowledge(master_.updates[1]);
  until([&] { return master_.updates.size() == 3; });
  EXPECT_EQ(master_.updates[2].status.message, "Command exited with status 3");
}

TEST_F(TasksTest, AnUpdateIsSentAgainWithAGrowingDelay) {
  stopAgent();
  settings_.firstResend = 20ms;
  settings_.longestResend = 40ms;
  startAgent();
  tasks_->connected(master_);
  launch("a");
  until([&] { return master_.updates.size() == 4; });
  EXPECT_EQ(master_.told("a"), (States{"TASK_STARTING", "TASK_STARTING", "TASK_STARTING", "TASK_STARTING"}));
  EXPECT_EQ(master_.updates[0].status.uuid, master_.updates[3].status.uuid);
}

TEST_F(TasksTest, UpdatesQueueUpWithoutAMaster) {
  tasks_->disconnected();
  launch("a");
  until([&] { return tasks_->snapshot().frameworks.at(0).active.at(0).state == TaskState::Running; });
  settle();
  EXPECT_TRUE(master_.updates.empty());
  tasks_->connected(master_);
  until([&] { return !master_.updates.empty(); });
  EXPECT_EQ(master_.told("a"), States{"TASK_STARTING"});
  tasks_->disconnected();
  tasks_->connected(master_);
  EXPECT_EQ(master_.told("a"), (States{"TASK_STARTING", "TASK_STARTING"})) << "every connection begins anew";
}

TEST_F(TasksTest, AKilledTaskIsToldAsKilled) {
  launchUntilRunning("a");
  tasks_->kill("F", "a", {});
  acknowledgeUntil("a", TaskState::Killed);
  EXPECT_EQ(master_.told("a"), (States{"TASK_STARTING", "TASK_RUNNING", "TASK_KILLING", "TASK_KILLED"}));
  EXPECT_EQ(lastOf("a").status.message, "Command terminated with signal Terminated");
  EXPECT_FALSE(lastOf("a").status.reason);
}

TEST_F(TasksTest, ATaskThatEndsWellAfterAKillIsKilledAllTheSame) {
  framework_.taskKillingState = false;
  containers_->obeyAsking = false;
  launchUntilRunning("a");
  tasks_->kill("F", "a", 1h);
  const auto container = containers_->container(containerOf("a"));
  until([&] { return container->asked == 1; });
  containers_->end(containerOf("a"), 0);
  acknowledgeUntil("a", TaskState::Killed);
  EXPECT_EQ(master_.told("a"), (States{"TASK_STARTING", "TASK_RUNNING", "TASK_KILLED"}));
  EXPECT_EQ(lastOf("a").status.message, "Command exited with status 0");
}

TEST_F(TasksTest, AProgramThatHasEndedKeepsItsEndWhileItIsClearedAway) {
  launchUntilRunning("killed");
  launchUntilRunning("drained");
  TaskRequest wanted = request("expired");
  wanted.maxCompletionTime = 200ms;
  tasks_->run(framework_, std::move(wanted));
  acknowledgeUntil("expired", TaskState::Running);
  const std::vector<std::string> all = {"killed", "drained", "expired"};
  for (const std::string& task : all) containers_->container(containerOf(task))->status.phase = Phase::Stopping;
  const auto started = std::chrono::steady_clock::now();
  tasks_->kill("F", "killed", {});
  tasks_->drain({});
  until([&] { return std::chrono::steady_clock::now() > started + 250ms; });
  for (const std::string& task : all) {
    EXPECT_EQ(containers_->container(containerOf(task))->asked, 0);
    containers_->end(containerOf(task), 0);
    acknowledgeUntil(task, TaskState::Finished);
    EXPECT_EQ(master_.told(task), (States{"TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"}));
  }
}

TEST_F(TasksTest, AShutDownOfItsFrameworkDoesNotChangeTheEndOfAProgramThatHasEnded) {
  containers_->obeyAsking = false;
  launchUntilRunning("a");
  const std::string container = containerOf("a");
  containers_->container(container)->status.phase = Phase::Stopping;
  tasks_->shutdownFramework("F");
  settle();
  containers_->end(container, 0);
  until([&] { return tasks_->snapshot().frameworks.empty(); });
  EXPECT_EQ(tasks_->snapshot().completedFrameworks.at(0).completed.at(0).state, TaskState::Finished);
  EXPECT_EQ(lastOf("a").status.state, TaskState::Running) << "nobody is told any more";
}

TEST_F(TasksTest, ItsGraceOverATaskIsKilledTheHardWay) {
  containers_->obeyAsking = false;
  launchUntilRunning("a");
  const auto container = containers_->container(containerOf("a"));
  tasks_->kill("F", "a", 30ms);
  acknowledgeUntil("a", TaskState::Killed);
  EXPECT_EQ(container->asked, 1);
  EXPECT_EQ(container->signals, std::vector<int>{SIGKILL});
  EXPECT_EQ(lastOf("a").status.message, "Command terminated with signal Killed");
}

TEST_F(TasksTest, ADatabaseThatCannotBeWrittenDoesNotKeepATaskAlive) {
  containers_->obeyAsking = false;
  launchUntilRunning("a");
  const auto container = containers_->container(containerOf("a"));
  // Nothing is written while another holds the only thread of the pool.
  std::promise<void> release;
  async::Scope stuck(loop_.get_executor());
  stuck.spawn(hold(pool_, release.get_future().share()));
  tasks_->kill("F", "a", 10ms);
  until([&] { return container->ended.isSet(); });
  EXPECT_EQ(container->asked, 1);
  EXPECT_EQ(container->signals, std::vector<int>{SIGKILL});
  release.set_value();
  run(stuck.join());
  acknowledgeUntil("a", TaskState::Killed);
}

TEST_F(TasksTest, AShorterGraceHastensTheEndAndALongerOneDoesNotDelayIt) {
  containers_->obeyAsking = false;
  launchUntilRunning("a");
  const auto container = containers_->container(containerOf("a"));
  tasks_->kill("F", "a", 1h);
  until([&] { return container->asked == 1; });
  tasks_->kill("F", "a", 2h);
  settle();
  EXPECT_TRUE(container->signals.empty());
  tasks_->kill("F", "a", 1ms);
  acknowledgeUntil("a", TaskState::Killed);
  EXPECT_EQ(container->asked, 1);
}

TEST_F(TasksTest, ATaskKilledDuringItsLaunchNeverRuns) {
  containers_->holdLaunches = true;
  launch("a");
  until([&] { return containers_->count() == 1; });
  tasks_->kill("F", "a", {});
  acknowledgeUntil("a", TaskState::Killed);
  EXPECT_EQ(master_.told("a"), States{"TASK_KILLED"});
  EXPECT_EQ(lastOf("a").status.reason, Reason::TaskKilledDuringLaunch);
  EXPECT_EQ(lastOf("a").status.source, Source::Agent);
  EXPECT_EQ(containers_->count(), 0U);
}

TEST_F(TasksTest, ATaskKilledAtOnceIsNotEvenLaunched) {
  launch("a");
  tasks_->kill("F", "a", {});
  acknowledgeUntil("a", TaskState::Killed);
  EXPECT_EQ(master_.told("a"), States{"TASK_KILLED"});
}

TEST_F(TasksTest, AKillEndsTheFetching) {
  uris_.hangs = true;
  TaskRequest wanted = request("a");
  wanted.uris.push_back({.value = "http://example.org/a.tgz", .cache = true});
  tasks_->run(framework_, std::move(wanted));
  until([&] { return uris_.requests.size() == 1; });
  EXPECT_EQ(uris_.requests[0].uris.at(0).value, "http://example.org/a.tgz");
  EXPECT_TRUE(uris_.requests[0].uris.at(0).cache);
  EXPECT_TRUE(std::filesystem::is_directory(uris_.requests[0].sandbox));
  tasks_->kill("F", "a", {});
  acknowledgeUntil("a", TaskState::Killed);
  EXPECT_EQ(lastOf("a").status.reason, Reason::TaskKilledDuringLaunch);
}

TEST_F(TasksTest, WhatCannotBeFetchedOrLaunchedFails) {
  uris_.failure = gantry::Error(Code::NotFound, "http://example.org/a.tgz: 404 Not Found");
  TaskRequest wanted = request("a");
  wanted.uris.push_back({.value = "http://example.org/a.tgz"});
  tasks_->run(framework_, std::move(wanted));
  acknowledgeUntil("a", TaskState::Failed);
  EXPECT_EQ(lastOf("a").status.reason, Reason::ContainerLaunchFailed);
  EXPECT_EQ(lastOf("a").status.message, "Failed to launch container: http://example.org/a.tgz: 404 Not Found");

  containers_->launchFailure = gantry::Error::invalid("volumes[0].host_path", "'/nope' does not exist");
  launch("b");
  acknowledgeUntil("b", TaskState::Failed);
  EXPECT_EQ(master_.told("b"), States{"TASK_FAILED"});
  EXPECT_EQ(tasks_->counters().launchErrors, 2U);
  EXPECT_EQ(tasks_->counters().ended.at(TaskState::Failed), 2U);
}

TEST_F(TasksTest, ALimitIsTheAgentsFinding) {
  TaskRequest wanted = request("a");
  wanted.container.resources.memory = Bytes::mebi(96);
  tasks_->run(framework_, std::move(wanted));
  acknowledgeUntil("a", TaskState::Running);
  containers_->end(containerOf("a"), Termination{.waitStatus = SIGKILL,
                                                 .state = "TASK_FAILED",
                                                 .reason = "REASON_CONTAINER_LIMITATION_MEMORY",
                                                 .message = "the memory limit of 96MiB was exceeded"});
  acknowledgeUntil("a", TaskState::Failed);
  const TaskStatus& status = lastOf("a").status;
  EXPECT_EQ(status.source, Source::Agent);
  EXPECT_EQ(status.reason, Reason::ContainerLimitationMemory);
  EXPECT_EQ(status.message, "the memory limit of 96MiB was exceeded");
  EXPECT_EQ(status.limitation, (std::vector<LimitedResource>{{"mem", 96}}));
  EXPECT_EQ(status.containerId, "") << "as mesos-agent tells it";
}

TEST_F(TasksTest, ATaskWhoseTimeIsUpHasFailed) {
  TaskRequest wanted = request("a");
  wanted.maxCompletionTime = 20ms;
  tasks_->run(framework_, std::move(wanted));
  acknowledgeUntil("a", TaskState::Failed);
  EXPECT_EQ(master_.told("a"), (States{"TASK_STARTING", "TASK_RUNNING", "TASK_FAILED"}));
  EXPECT_EQ(lastOf("a").status.reason, Reason::MaxCompletionTimeReached);
  EXPECT_EQ(lastOf("a").status.message, "Command terminated with signal Terminated");
}

TEST_F(TasksTest, AKillEndsTheCountingOfItsTime) {
  containers_->obeyAsking = false;
  TaskRequest wanted = request("a");
  wanted.maxCompletionTime = 1h;
  tasks_->run(framework_, std::move(wanted));
  acknowledgeUntil("a", TaskState::Running);
  tasks_->kill("F", "a", 10ms);
  acknowledgeUntil("a", TaskState::Killed);
  EXPECT_FALSE(lastOf("a").status.reason);
}

TEST_F(TasksTest, ASecondTaskOfTheSameIdIsDroppedAndTheFirstGoesOn) {
  launchUntilRunning("a");
  launch("a");
  EXPECT_EQ(master_.told("a"), (States{"TASK_STARTING", "TASK_RUNNING", "TASK_DROPPED"}));
  EXPECT_EQ(lastOf("a").status.reason, Reason::TaskInvalid);
  acknowledge(lastOf("a"));
  containers_->end(containerOf("a"), 0);
  acknowledgeUntil("a", TaskState::Finished);
}

TEST_F(TasksTest, AnIdMayBeUsedAgainOnceItsTaskIsOver) {
  launchUntilRunning("a");
  containers_->end(containerOf("a"), 0);
  acknowledgeUntil("a", TaskState::Finished);
  master_.updates.clear();
  acknowledged_ = 0;
  launchUntilRunning("a");
  EXPECT_EQ(tasks_->snapshot().frameworks.at(0).completed.size(), 1U) << "the framework came back";
  EXPECT_TRUE(tasks_->snapshot().completedFrameworks.empty());
}

TEST_F(TasksTest, AnIdIsFreeWithTheAcknowledgementOfItsEnd) {
  launchUntilRunning("a");
  containers_->end(containerOf("a"), 0);
  until([&] { return lastOf("a").status.state == TaskState::Finished; });
  acknowledge(lastOf("a"));
  launch("a");
  until([&] { return master_.told("a").size() == 4; });
  EXPECT_EQ(master_.told("a").back(), "TASK_STARTING");
  EXPECT_EQ(tasks_->snapshot().frameworks.at(0).completed.size(), 1U);
}

TEST_F(TasksTest, ARefusedTaskHasItsOneStatus) {
  tasks_->refuse(framework_, "a", TaskState::Dropped, Reason::InvalidOffers, "stale");
  acknowledgeUntil("a", TaskState::Dropped);
  EXPECT_TRUE(tasks_->snapshot().frameworks.empty());
  EXPECT_TRUE(tasks_->snapshot().completedFrameworks.empty());

  framework_.partitionAware = false;
  tasks_->refuse(framework_, "b", TaskState::Dropped, Reason::InvalidOffers, "stale");
  acknowledgeUntil("b", TaskState::Lost);
}

TEST_F(TasksTest, AKillThatComesAfterTheEndIsAcknowledgedIsNotAnswered) {
  launch("a");
  launch("b");
  until([&] { return master_.told("a").size() == 1 && master_.told("b").size() == 1; });
  containers_->end(containerOf("a"), kExit3);
  acknowledgeUntil("a", TaskState::Failed);
  until([&] { return !tasks_->snapshot().frameworks.at(0).completed.empty(); });
  tasks_->kill("F", "a", std::nullopt);
  settle();
  EXPECT_EQ(master_.told("a"), (States{"TASK_STARTING", "TASK_RUNNING", "TASK_FAILED"}));
}

TEST_F(TasksTest, KillsOfUnknownTasksAreAnsweredWhereTheFrameworkIsKnown) {
  tasks_->kill("F", "unknown", {});
  settle();
  EXPECT_TRUE(master_.updates.empty());
  launchUntilRunning("a");
  tasks_->kill("F", "unknown", {});
  acknowledgeUntil("unknown", TaskState::Dropped);
  EXPECT_EQ(lastOf("unknown").status.reason, Reason::ExecutorTerminated);
}

TEST_F(TasksTest, ReconciliationTellsOfUnknownTasksOnly) {
  launchUntilRunning("a");
  tasks_->reconcile(framework_, "a");
  tasks_->reconcile(framework_, "b");
  acknowledgeUntil("b", TaskState::Dropped);
  EXPECT_EQ(lastOf("b").status.reason, Reason::Reconciliation);
  EXPECT_EQ(master_.told("a").size(), 2U);
}

TEST_F(TasksTest, AFrameworkThatIsShutDownHearsNothingMore) {
  launchUntilRunning("a");
  launch("b");
  until([&] { return !master_.told("b").empty(); });
  const std::size_t before = master_.updates.size();
  tasks_->shutdownFramework("F");
  launch("c");
  until([&] { return tasks_->snapshot().frameworks.empty(); });
  EXPECT_EQ(master_.updates.size(), before);
  until([&] { return containers_->count() == 0; });
  const FrameworkTasks over = tasks_->snapshot().completedFrameworks.at(0);
  EXPECT_EQ(over.completed.size(), 2U);
  EXPECT_EQ(over.completed.at(0).state, TaskState::Killed);
  launchUntilRunning("d");
}

TEST_F(TasksTest, AnUpdatedFrameworkIsToldAgain) {
  launch("a");
  until([&] { return master_.updates.size() == 1; });
  framework_.name = "another";
  tasks_->updateFramework(framework_);
  EXPECT_EQ(master_.told("a"), (States{"TASK_STARTING", "TASK_STARTING"}));
  settle();
  restartAgent();
  EXPECT_EQ(tasks_->snapshot().frameworks.at(0).framework.name, "another");
}

TEST_F(TasksTest, ADrainEndsEverythingAndIsOverWithIt) {
  launchUntilRunning("a");
  containers_->obeyAsking = false;
  tasks_->drain({.maxGracePeriod = 10ms});
  EXPECT_TRUE(tasks_->snapshot().drain);
  launch("b");
  acknowledgeUntil("a", TaskState::Killed);
  EXPECT_EQ(master_.told("a"), (States{"TASK_STARTING", "TASK_RUNNING", "TASK_KILLING", "TASK_KILLED"}));
  EXPECT_EQ(lastOf("a").status.reason, Reason::AgentDraining);
  EXPECT_EQ(lastOf("b").status.state, TaskState::Dropped);
  EXPECT_EQ(lastOf("b").status.reason, Reason::AgentDraining);
  until([&] { return !tasks_->snapshot().drain; });
  launchUntilRunning("c");
}

TEST_F(TasksTest, ADrainThatMarksTheAgentGoneSaysSo) {
  launchUntilRunning("a");
  tasks_->drain({.markGone = true});
  acknowledgeUntil("a", TaskState::GoneByOperator);
  EXPECT_EQ(master_.told("a"), (States{"TASK_STARTING", "TASK_RUNNING", "TASK_GONE_BY_OPERATOR"}));
}

TEST_F(TasksTest, ADrainWithoutTasksLeavesNoTrace) {
  tasks_->drain({.maxGracePeriod = 10ms});
  EXPECT_FALSE(tasks_->snapshot().drain);
}

TEST_F(TasksTest, AShutDownAgentEndsEverythingSilently) {
  launchUntilRunning("a");
  const std::size_t before = master_.updates.size();
  tasks_->shutdown();
  ASSERT_TRUE(run(tasks_->untilEmpty()));
  EXPECT_EQ(master_.updates.size(), before);
}

TEST_F(TasksTest, TheSandboxIsWhereMesosHasIt) {
  launchUntilRunning("a");
  const Task task = tasks_->snapshot().frameworks.at(0).active.at(0);
  EXPECT_EQ(task.sandbox, directory_ + "/slaves/S0/frameworks/F/executors/a/runs/" + task.container->text());
  EXPECT_EQ(std::filesystem::read_symlink(directory_ + "/slaves/S0/frameworks/F/executors/a/runs/latest"),
            task.container->text());
  EXPECT_EQ(std::filesystem::read_symlink(directory_ + "/slaves/latest"), "S0");
  using std::filesystem::perms;
  EXPECT_EQ(std::filesystem::status(task.sandbox).permissions(),
            perms::owner_all | perms::group_read | perms::group_exec);
  const auto& environment =
      containers_->container(task.container->text())->status.container->request.command.environment;
  EXPECT_EQ(environment.at("MESOS_DIRECTORY"), task.sandbox);
  EXPECT_EQ(environment.at("MESOS_SLAVE_ID"), "S0");
}

// Nobody is user 65534 on any Debian, and may be another in an image.
TEST_F(TasksTest, AUserIsTheHostsUnlessTheTaskSaysItIsTheImages) {
  stopAgent();
  settings_.switchUser = true;
  startAgent();
  tasks_->connected(master_);
  const auto userOf = [this](const std::string& id, const std::string& user, bool ofHost) {
    TaskRequest wanted = request(id);
    wanted.container.image = "a/b";
    wanted.container.command.user = user;
    wanted.userIsOfHost = ofHost;
    tasks_->run(framework_, std::move(wanted));
    acknowledgeUntil(id, TaskState::Running);
    return containers_->container(containerOf(id))->status.container->request.command.user;
  };
  EXPECT_EQ(userOf("a", "nobody", true), "65534:65534");
  EXPECT_EQ(userOf("b", "nobody", false), "nobody");
  EXPECT_EQ(userOf("c", "only-the-image-knows", true), "only-the-image-knows");
}

TEST_F(TasksTest, AnIdThatIsNoDirectorysNameIsRefused) {
  launch("../../../etc");
  acknowledgeUntil("../../../etc", TaskState::Failed);
  EXPECT_EQ(lastOf("../../../etc").status.message,
            "Failed to launch container: task_id: '../../../etc' cannot be the name of a directory");
}

TEST_F(TasksTest, WhatAFrameworkCausesAtWillDoesNotFillTheLog) {
  launchUntilRunning("a");
  testing::internal::CaptureStderr();
  for (int i = 0; i < 100; ++i) {
    tasks_->acknowledge("F", "a", "something else");
    tasks_->kill("nobody's", "a", {});
    launch("a");
  }
  tasks_->shutdownFramework("F");
  for (int i = 0; i < 100; ++i) launch("b");
  const std::string logged = testing::internal::GetCapturedStderr();
  EXPECT_LT(std::ranges::count(logged, '\n'), 20) << logged;
}

TEST_F(TasksTest, TheHistoryIsBounded) {
  stopAgent();
  settings_.completedFrameworks = 2;
  settings_.completedTasks = 3;
  startAgent();
  tasks_->connected(master_);
  for (const char* framework : {"F1", "F2", "F3"}) {
    framework_.id = framework;
    for (const char* task : {"a", "b", "c", "d"}) {
      const std::string id = std::string(framework) + task;
      launchUntilRunning(id);
      containers_->end(containerOf(id), 0);
      acknowledgeUntil(id, TaskState::Finished);
    }
  }
  const auto check = [&] {
    const Snapshot all = tasks_->snapshot();
    ASSERT_EQ(all.completedFrameworks.size(), 2U);
    EXPECT_EQ(all.completedFrameworks[0].framework.id, "F2");
    EXPECT_EQ(all.completedFrameworks[1].framework.id, "F3");
    ASSERT_EQ(all.completedFrameworks[1].completed.size(), 3U);
    EXPECT_EQ(all.completedFrameworks[1].completed[0].id, "F3b");
  };
  check();
  restartAgent();
  check();
}

}  // namespace
}  // namespace gantry::agent::tasks
