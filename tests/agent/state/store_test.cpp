#include "agent/state/store.hpp"

#include <filesystem>

#include <gtest/gtest.h>

#include "async/run.hpp"
#include "async/scope.hpp"

namespace gantry::agent::state {
namespace {

class StoreTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "gantry-store-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
    open();
  }
  void TearDown() override {
    store_.reset();
    std::filesystem::remove_all(directory_);
  }

  void open() {
    store_.reset();
    auto opened = Database::open(directory_ + "/state.db");
    ASSERT_TRUE(opened) << opened.error().message();
    contents_ = opened->contents;
    store_ = std::make_unique<Store>(std::move(opened->database), contents_.savedStates, loop_.get_executor(), pool_);
  }
  template <typename T>
  T run(async::Task<T> work) {
    return async::runUntilDone(loop_, std::move(work));
  }
  static std::vector<Change> fact(int number) { return {PutFact{"n" + std::to_string(number), "x"}}; }

  static async::Task<> commitInto(Store* store, std::vector<Change> changes, int* succeeded) {
    const auto done = co_await store->commit(std::move(changes));
    if (done) ++*succeeded;
  }
  static async::Task<> commitMany(Store* store, int count, bool cancel, int* succeeded) {
    const async::Executor executor = co_await async::currentExecutor();
    async::Scope scope(executor);
    for (int i = 0; i < count; ++i) scope.spawn(commitInto(store, fact(i), succeeded));
    co_await async::yield();
    co_await async::yield();
    if (cancel) scope.cancel();
    co_await scope.join();
  }

  std::string directory_;
  async::Loop loop_;
  async::WorkerPool pool_;
  Contents contents_;
  std::unique_ptr<Store> store_;
};

TEST_F(StoreTest, ABurstOfCommitsIsDurable) {
  int succeeded = 0;
  async::runUntilDone(loop_, commitMany(store_.get(), 200, false, &succeeded));
  EXPECT_EQ(succeeded, 200);
  open();
  EXPECT_EQ(contents_.facts.size(), 200U);
}

TEST_F(StoreTest, CancelledCallersDoNotStopTheQueue) {
  int succeeded = 0;
  async::runUntilDone(loop_, commitMany(store_.get(), 20, true, &succeeded));
  ASSERT_TRUE(run(store_->commit(fact(1000))));
  open();
  EXPECT_TRUE(contents_.facts.contains("n1000"));
  EXPECT_EQ(static_cast<int>(contents_.facts.size()), succeeded + 1);
}

TEST_F(StoreTest, RemembersWhatIsolatorsSave) {
  const ContainerId web = *ContainerId::parse("web");
  EXPECT_EQ(store_->load(web, "net"), "");
  ASSERT_TRUE(run(store_->save(web, "net", "one")));
  ASSERT_TRUE(run(store_->save(web, "net", "two")));
  EXPECT_EQ(store_->load(web, "net"), "two");
  open();
  EXPECT_EQ(store_->load(web, "net"), "two");
  ASSERT_TRUE(run(store_->commit({DeleteSavedStates{"web"}})));
  EXPECT_EQ(store_->load(web, "net"), "");
}

}  // namespace
}  // namespace gantry::agent::state
