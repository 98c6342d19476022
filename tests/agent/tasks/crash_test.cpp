// The agent is killed after each write to its database, and started again from what is there: nothing it told may be
// taken back, and what it tells from then on must be the rest of the same story.
#include <csignal>

#include <map>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "agent/tasks/task_json.hpp"
#include "tests/agent/tasks/task_world.hpp"

namespace gantry::agent::tasks {
namespace {

using namespace std::chrono_literals;

using States = std::vector<std::string>;

// What a master may be told of a task: a whole story, from its first word on.
const std::set<States> kStories = {
    {"TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"},
    {"TASK_STARTING", "TASK_RUNNING", "TASK_KILLED"},
    {"TASK_STARTING", "TASK_RUNNING", "TASK_KILLING", "TASK_KILLED"},
    {"TASK_DROPPED"},
    {"TASK_KILLED"},
    {"TASK_FAILED"},
};

class CrashTest : public TaskWorld {
 protected:
  // The world as a killed agent leaves it.
  struct Moment {
    std::string database;
    std::unique_ptr<fakes::Manager> containers;
    std::vector<StatusUpdate> updates;
    std::size_t acknowledged = 0;
  };

  // Runs the loop until `holds`, and remembers the world after every write.
  void runAndRemember(const std::function<bool()>& holds) {
    loop_.restart();
    const auto deadline = std::chrono::steady_clock::now() + 5s;
    while (!holds()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "did not happen";
      loop_.run_one_for(1ms);
      rememberIfWritten();
      acknowledgeNew();
    }
  }
  void rememberIfWritten() {
    const std::string wal = directory_ + "/state.db-wal";
    if (!std::filesystem::exists(wal)) return;
    const std::size_t size = std::filesystem::file_size(wal);
    if (size == written_) return;
    written_ = size;
    const std::string copy = fmt::format("{}/moment-{}.db", directory_, moments_.size());
    std::filesystem::copy_file(directory_ + "/state.db", copy);
    std::filesystem::copy_file(wal, copy + "-wal");
    moments_.push_back({copy, containers_->asFoundByTheNextAgent(), master_.updates, acknowledged_});
  }

  void goOnFrom(Moment moment) {
    containers_ = std::move(moment.containers);
    master_.updates = std::move(moment.updates);
    acknowledged_ = moment.acknowledged;
    startAgent(moment.database, "S0");
    tasks_->connected(master_);
    settle();
    for (const ContainerStatus& status : containers_->list()) {
      if (status.phase == Phase::Running) containers_->end(status.container->id().text(), 0);
    }
    until([this] {
      acknowledgeNew();
      const Snapshot all = tasks_->snapshot();
      return std::ranges::all_of(all.frameworks, [](const auto& each) { return each.active.empty(); });
    });
    settle();
  }

  void checkStories() const {
    std::map<std::string, std::vector<StatusUpdate>> told;
    for (const StatusUpdate& update : master_.updates) {
      std::vector<StatusUpdate>& story = told[update.task];
      if (!story.empty() && story.back().status.uuid == update.status.uuid) continue;
      for (const StatusUpdate& earlier : story) {
        EXPECT_NE(earlier.status.uuid, update.status.uuid) << "an old update came back";
      }
      story.push_back(update);
    }
    for (const auto& [task, story] : told) {
      States states;
      for (const StatusUpdate& update : story) states.emplace_back(toString(update.status.state));
      EXPECT_TRUE(kStories.contains(states)) << task << ": " << fmt::format("{}", fmt::join(states, " "));
    }
  }

  std::size_t written_ = 0;
  std::vector<Moment> moments_;
};

TEST_F(CrashTest, TheStoryIsTheSameWhereverTheAgentWasKilled) {
  tasks_->connected(master_);
  containers_->holdLaunches = true;
  launch("finishes");
  launch("killed");
  launch("killed early");
  runAndRemember([&] { return containers_->count() == 3; });
  tasks_->kill("F", "killed early", {});
  containers_->releaseLaunches();
  const auto has = [&](const std::string& task, TaskState state) {
    return std::ranges::any_of(master_.updates, [&](const StatusUpdate& update) {
      return update.task == task && update.status.state == state;
    });
  };
  runAndRemember([&] { return has("killed", TaskState::Running) && has("finishes", TaskState::Running); });
  tasks_->kill("F", "killed", {});
  containers_->end(containerOf("finishes"), 0);
  runAndRemember([&] { return tasks_->snapshot().frameworks.empty() && containers_->count() == 0; });
  checkStories();
  EXPECT_TRUE(has("finishes", TaskState::Finished));
  EXPECT_TRUE(has("killed", TaskState::Killed));
  EXPECT_TRUE(has("killed early", TaskState::Killed));
  stopAgent();

  EXPECT_GT(moments_.size(), 8U);
  for (std::size_t i = 0; i < moments_.size(); ++i) {
    SCOPED_TRACE(fmt::format("after write {}", i));
    goOnFrom(std::move(moments_[i]));
    checkStories();
    EXPECT_EQ(containers_->count(), 0U);
    stopAgent();
    if (HasFailure()) break;
  }
}

class RestartTest : public TaskWorld {
 protected:
  void SetUp() override {
    TaskWorld::SetUp();
    tasks_->connected(master_);
  }
  void restart() {
    stopAgent();
    containers_ = containers_->asFoundByTheNextAgent();
    startAgent();
    tasks_->connected(master_);
  }
};

TEST_F(RestartTest, ATaskThatRanGoesOn) {
  launchUntilRunning("a");
  restart();
  settle();
  EXPECT_EQ(master_.told("a"), (States{"TASK_STARTING", "TASK_RUNNING"})) << "all that is acknowledged is done with";
  const Task task = tasks_->snapshot().frameworks.at(0).active.at(0);
  EXPECT_EQ(task.state, TaskState::Running);
  EXPECT_EQ(task.name, "name of a");
  EXPECT_EQ(task.info, std::string("\0info", 5));
  EXPECT_EQ(task.sentState, TaskState::Running);
  containers_->end(containerOf("a"), 0);
  acknowledgeUntil("a", TaskState::Finished);
  EXPECT_EQ(lastOf("a").status.pid, 4711);
}

TEST_F(RestartTest, ATaskThatEndedMeanwhileIsToldAsItEnded) {
  launchUntilRunning("a");
  const std::string container = containerOf("a");
  stopAgent();
  containers_->end(container, 3 << 8);
  restart();
  acknowledgeUntil("a", TaskState::Failed);
  EXPECT_EQ(lastOf("a").status.message, "Command exited with status 3");
  EXPECT_EQ(lastOf("a").status.source, Source::Executor);
}

TEST_F(RestartTest, AnUpdateThatWasNotAcknowledgedIsSentAgain) {
  launch("a");
  until([&] { return master_.updates.size() == 1; });
  restart();
  ASSERT_EQ(master_.updates.size(), 2U);
  EXPECT_EQ(master_.updates[1].status.uuid, master_.updates[0].status.uuid);
  EXPECT_EQ(master_.updates[1].status.time, master_.updates[0].status.time);
}

TEST_F(RestartTest, WhatItIsIsKnownWhenTheAgentRegistersAgain) {
  launchUntilRunning("a");
  const std::string container = containerOf("a");
  stopAgent();
  containers_->end(container, 0);
  containers_ = containers_->asFoundByTheNextAgent();
  startAgent();
  const Task task = tasks_->snapshot().frameworks.at(0).active.at(0);
  EXPECT_EQ(task.state, TaskState::Finished);
  EXPECT_EQ(task.sentState, TaskState::Running);
}

TEST_F(RestartTest, AnIdThatWasUsedAgainIsTheNewTasks) {
  launchUntilRunning("a");
  containers_->end(containerOf("a"), 0);
  until([&] { return lastOf("a").status.state == TaskState::Finished; });
  settle();
  // As if the acknowledgement had not been written any more, but the next task had.
  state::TaskRecord second{.number = 2, .framework = "F", .task = "a", .request = *toJson(request("a"))};
  second.progress = "{}";
  std::vector<state::Change> changes{state::PutTask{second}};
  ASSERT_TRUE(run(store_->commit(std::move(changes))));
  restart();
  acknowledgeUntil("a", TaskState::Dropped);
  EXPECT_EQ(master_.told("a").back(), "TASK_DROPPED");
  EXPECT_EQ(tasks_->snapshot().completedFrameworks.at(0).completed.size(), 2U);
}

TEST_F(RestartTest, AnIdThatWasRefusedBeforeIsTheNewTasks) {
  tasks_->refuse(framework_, "a", TaskState::Dropped, Reason::InvalidOffers, "stale");
  until([&] { return lastOf("a").status.state == TaskState::Dropped; });
  settle();
  // As if the acknowledgement had not been written any more, but the task had.
  state::TaskRecord second{.number = 2, .framework = "F", .task = "a", .request = *toJson(request("a"))};
  second.progress = "{}";
  std::vector<state::Change> changes{state::PutTask{second}};
  ASSERT_TRUE(run(store_->commit(std::move(changes))));
  for (int restarts = 0; restarts < 2; ++restarts) {
    master_.updates.clear();
    acknowledged_ = 0;
    restart();
    if (restarts == 0) acknowledgeUntil("a", TaskState::Dropped);
    settle();
    for (const StatusUpdate& update : master_.updates) EXPECT_EQ(update.status.reason, Reason::AgentRestarted);
  }
  EXPECT_TRUE(master_.updates.empty());
  EXPECT_EQ(tasks_->snapshot().completedFrameworks.at(0).completed.size(), 1U);
}

TEST_F(RestartTest, ALaunchThatWasCutIsTold) {
  containers_->holdLaunches = true;
  launch("a");
  until([&] { return containers_->count() == 1; });
  restart();
  acknowledgeUntil("a", TaskState::Failed);
  EXPECT_EQ(master_.told("a"), States{"TASK_FAILED"});
  EXPECT_EQ(lastOf("a").status.reason, Reason::ContainerLaunchFailed);

  uris_.hangs = true;
  TaskRequest wanted = request("b");
  wanted.uris.push_back({.value = "http://example.org/"});
  tasks_->run(framework_, std::move(wanted));
  until([&] { return uris_.requests.size() == 1; });
  restart();
  acknowledgeUntil("b", TaskState::Dropped);
  EXPECT_EQ(lastOf("b").status.reason, Reason::AgentRestarted);
}

TEST_F(RestartTest, AKillGoesOnAndIsToldAsOne) {
  containers_->obeyAsking = false;
  launchUntilRunning("a");
  tasks_->kill("F", "a", 50ms);
  until([&] { return containers_->container(containerOf("a"))->asked == 1; });
  restart();
  acknowledgeUntil("a", TaskState::Killed);
  EXPECT_EQ(master_.told("a").back(), "TASK_KILLED");
}

TEST_F(RestartTest, TheTimeOfATaskGoesOnWhileTheAgentIsAway) {
  TaskRequest wanted = request("a");
  wanted.maxCompletionTime = 300ms;
  tasks_->run(framework_, std::move(wanted));
  acknowledgeUntil("a", TaskState::Running);
  restart();
  acknowledgeUntil("a", TaskState::Failed);
  EXPECT_EQ(lastOf("a").status.reason, Reason::MaxCompletionTimeReached);
}

TEST_F(RestartTest, AFrameworkThatDoesNotCheckpointLosesItsTasks) {
  framework_.checkpoint = false;
  launchUntilRunning("a");
  const std::size_t before = master_.updates.size();
  restart();
  EXPECT_TRUE(tasks_->snapshot().frameworks.empty()) << "its master is not to hear of it";
  until([&] { return containers_->count() == 0; });
  settle();
  EXPECT_EQ(master_.updates.size(), before);
  EXPECT_TRUE(tasks_->snapshot().frameworks.empty());
}

TEST_F(RestartTest, AFrameworkThatDoesNotCheckpointMayBeginAnew) {
  framework_.checkpoint = false;
  containers_->obeyAsking = false;
  launchUntilRunning("a");
  restart();
  launchUntilRunning("b");
  tasks_->reconcile(framework_, "a");
  EXPECT_EQ(master_.told("b"), (States{"TASK_STARTING", "TASK_RUNNING"}));
}

TEST_F(RestartTest, AnIntentionThatWasOnRecordIsCarriedOut) {
  launchUntilRunning("drained");
  std::vector<state::Change> drain{state::PutFact{"tasks_drain", toJson(DrainConfig{.maxGracePeriod = 10ms})}};
  ASSERT_TRUE(run(store_->commit(std::move(drain))));
  restart();
  acknowledgeUntil("drained", TaskState::Killed);
  EXPECT_EQ(lastOf("drained").status.reason, Reason::AgentDraining);

  launchUntilRunning("discarded");
  std::vector<state::Change> end{
      state::PutFramework{{.id = "F", .framework = toJson(StoredFramework{.framework = framework_, .ending = true})}}};
  ASSERT_TRUE(run(store_->commit(std::move(end))));
  restart();
  until([&] { return tasks_->snapshot().frameworks.empty(); });
  EXPECT_EQ(master_.told("discarded").back(), "TASK_RUNNING");
}

TEST_F(RestartTest, AFrameworkThatWasBeingShutDownStillIs) {
  containers_->obeyAsking = false;
  launchUntilRunning("a");
  tasks_->shutdownFramework("F");
  settle();
  restart();
  containers_->obeyAsking = true;
  until([&] { return tasks_->snapshot().frameworks.empty(); });
  EXPECT_EQ(master_.told("a"), (States{"TASK_STARTING", "TASK_RUNNING"}));
}

TEST_F(RestartTest, ADrainGoesOn) {
  containers_->obeyAsking = false;
  launchUntilRunning("a");
  tasks_->drain({.maxGracePeriod = 100ms, .config = std::string("\x08\x01")});
  settle();
  restart();
  ASSERT_TRUE(tasks_->snapshot().drain);
  EXPECT_EQ(tasks_->snapshot().drain->config, "\x08\x01");
  acknowledgeUntil("a", TaskState::Killed);
  EXPECT_EQ(lastOf("a").status.reason, Reason::AgentDraining);
  until([&] { return !tasks_->snapshot().drain; });
  restart();
  EXPECT_FALSE(tasks_->snapshot().drain);
}

TEST_F(RestartTest, AnotherAgentIdEndsTheTasksOfTheOldOne) {
  launchUntilRunning("a");
  launch("b");
  until([&] { return !master_.told("b").empty(); });
  stopAgent();
  containers_ = containers_->asFoundByTheNextAgent();
  startAgentAs("S1");
  tasks_->connected(master_);
  until([&] { return containers_->count() == 0; });
  EXPECT_EQ(master_.told("a").back(), "TASK_RUNNING");
  launchUntilRunning("c");
  EXPECT_NE(tasks_->snapshot().frameworks.at(0).active.at(0).sandbox.find("/slaves/S1/"), std::string::npos);
}

TEST_F(RestartTest, AContainerOfNoTaskIsDestroyed) {
  isolators::ContainerRequest stranger(*ContainerId::root("stranger"));
  stranger.sandbox = directory_ + "/slaves/S0/frameworks/F/executors/x/runs/stranger";
  std::filesystem::create_directories(*stranger.sandbox);
  ASSERT_TRUE(run(containers_->launch(stranger)));
  isolators::ContainerRequest standalone(*ContainerId::root("standalone"));
  ASSERT_TRUE(run(containers_->launch(standalone)));
  restart();
  until([&] { return !containers_->knows("stranger"); });
  EXPECT_TRUE(containers_->knows("standalone"));
}

TEST_F(RestartTest, ARecordThatCannotBeReadStopsTheAgentUnlessToldOtherwise) {
  launchUntilRunning("a");
  std::vector<state::Change> damage{state::PutTaskProgress{1, "{\"ending\":\"eaten\"}"}};
  ASSERT_TRUE(run(store_->commit(std::move(damage))));
  stopAgent();
  auto opened = state::Database::open(directory_ + "/state.db");
  ASSERT_TRUE(opened);
  store_ = std::make_unique<state::Store>(std::move(opened->database), opened->contents.savedStates,
                                          loop_.get_executor(), pool_);
  tasks_ = std::make_unique<Tasks>(TaskParts{loop_.get_executor(), settings_, *store_, *containers_, uris_});
  const auto refused = run(tasks_->recover(opened->contents, false));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message(), "task 'a': ending: is unknown");
  EXPECT_TRUE(run(tasks_->recover(opened->contents, true)));
}

}  // namespace
}  // namespace gantry::agent::tasks
