// A task manager with everything around it: a real database, containers and a fetcher in memory, and a master that
// remembers what it is told. The agent can be ended and started again; containers live on.
#pragma once

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "agent/state/database.hpp"
#include "agent/state/store.hpp"
#include "agent/tasks/task_manager.hpp"
#include "async/run.hpp"
#include "async/time.hpp"
#include "tests/fakes/manager.hpp"

namespace gantry::agent::tasks {

// Fetches nothing, unless it is told to fail or to take for ever.
class FakeUris final : public fetcher::UriFetcher {
 public:
  std::optional<gantry::Error> failure;
  bool hangs = false;
  std::vector<fetcher::UriRequest> requests;

  async::Task<Result<fetcher::FetchedUris>> fetch(fetcher::UriRequest request, fetcher::UriProgressSink) override {
    requests.push_back(std::move(request));
    if (hangs) {
      co_await async::never();
      co_return gantry::Error(Code::Cancelled, "cancelled");
    }
    if (failure) co_return *failure;
    co_return fetcher::FetchedUris();
  }
};

class FakeMaster final : public UpdateSink {
 public:
  std::vector<StatusUpdate> updates;

  void send(const StatusUpdate& update) override { updates.push_back(update); }

  // "TASK_RUNNING" of each update for `task`, in order, those sent again too.
  std::vector<std::string> told(const std::string& task) const {
    std::vector<std::string> states;
    for (const StatusUpdate& update : updates) {
      if (update.task == task) states.emplace_back(toString(update.status.state));
    }
    return states;
  }
};

class TaskWorld : public testing::Test {
 protected:
  using States = std::vector<std::string>;

  void SetUp() override {
    std::string name = testing::TempDir() + "gantry-tasks-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
    containers_ = std::make_unique<fakes::Manager>(loop_.get_executor(), directory_);
    settings_.workDirectory = directory_;
    settings_.ip = "10.1.2.3";
    settings_.switchUser = false;
    startAgent();
  }
  void TearDown() override {
    stopAgent();
    std::filesystem::remove_all(directory_);
  }

  void startAgent() { startAgent(directory_ + "/state.db", "S0"); }
  void startAgentAs(const std::string& id) { startAgent(directory_ + "/state.db", id); }
  void startAgent(const std::string& database, const std::string& id) {
    auto opened = state::Database::open(database);
    ASSERT_TRUE(opened) << opened.error().message();
    store_ = std::make_unique<state::Store>(std::move(opened->database), opened->contents.savedStates,
                                            loop_.get_executor(), pool_);
    tasks_ = std::make_unique<Tasks>(TaskParts{loop_.get_executor(), settings_, *store_, *containers_, uris_});
    const auto recovered = run(tasks_->recover(std::move(opened->contents), false));
    ASSERT_TRUE(recovered) << recovered.error().message();
    tasks_->registered(id);
  }
  void stopAgent() {
    if (!tasks_) return;
    run(tasks_->stop());
    tasks_.reset();
    store_.reset();
  }
  void restartAgent() {
    stopAgent();
    startAgent();
    tasks_->connected(master_);
  }

  template <typename T>
  T run(async::Task<T> work) {
    return async::runUntilDone(loop_, std::move(work));
  }
  void run(async::Task<> work) { async::runUntilDone(loop_, std::move(work)); }

  // Runs the loop until `holds`, or fails after a while.
  void until(std::function<bool()> holds) { run(poll(std::make_shared<std::function<bool()>>(std::move(holds)))); }
  // Runs the loop for so long that everything that can happen has.
  void settle() { run(rest()); }

  void launch(const std::string& id) { tasks_->run(framework_, request(id)); }
  TaskRequest request(const std::string& id) const {
    ++launches_;
    isolators::ContainerRequest container(*ContainerId::root("c" + std::to_string(launches_)));
    container.command.value = "sleep 1000";
    TaskRequest wanted(std::move(container));
    wanted.id = id;
    wanted.framework = framework_.id;
    wanted.executor = id;
    wanted.name = "name of " + id;
    wanted.info = std::string("\0info", 5);
    return wanted;
  }
  // Acknowledges whatever comes for `task` until it was told `state`.
  void acknowledgeUntil(const std::string& task, TaskState state) {
    until([this, task, state] {
      acknowledgeNew();
      return !master_.updates.empty() && std::ranges::any_of(master_.updates, [&](const StatusUpdate& update) {
        return update.task == task && update.status.state == state;
      });
    });
    acknowledgeNew();
    settle();
  }
  void acknowledgeNew() {
    const std::vector<StatusUpdate> all = master_.updates;
    for (; acknowledged_ < all.size(); ++acknowledged_) acknowledge(all[acknowledged_]);
  }
  void acknowledge(const StatusUpdate& update) {
    tasks_->acknowledge(update.framework, update.task, update.status.uuid);
  }
  void launchUntilRunning(const std::string& id) {
    launch(id);
    acknowledgeUntil(id, TaskState::Running);
  }
  std::string containerOf(const std::string& task) const {
    for (const FrameworkTasks& framework : tasks_->snapshot().frameworks) {
      for (const Task& each : framework.active) {
        if (each.id == task) return each.container->text();
      }
    }
    return "";
  }
  StatusUpdate lastOf(const std::string& task) const {
    for (auto update = master_.updates.rbegin(); update != master_.updates.rend(); ++update) {
      if (update->task == task) return *update;
    }
    return {};
  }

  static async::Task<> poll(std::shared_ptr<std::function<bool()>> holds) {
    for (int i = 0; i < 4000; ++i) {
      if ((*holds)()) co_return;
      ignore(co_await async::sleep(std::chrono::milliseconds(1)), "nobody cancels it");
    }
    ADD_FAILURE() << "did not happen";
  }
  static async::Task<> rest() { ignore(co_await async::sleep(std::chrono::milliseconds(30)), "nobody cancels it"); }

  std::string directory_;
  async::Loop loop_;
  async::WorkerPool pool_{1};
  Framework framework_{
      .id = "F", .name = "marathon", .checkpoint = true, .partitionAware = true, .taskKillingState = true};
  TaskSettings settings_;
  FakeUris uris_;
  FakeMaster master_;
  std::unique_ptr<fakes::Manager> containers_;
  std::unique_ptr<state::Store> store_;
  std::unique_ptr<Tasks> tasks_;
  std::size_t acknowledged_ = 0;
  mutable int launches_ = 0;
};

}  // namespace gantry::agent::tasks
