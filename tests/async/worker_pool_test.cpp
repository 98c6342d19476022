#include "async/worker_pool.hpp"

#include <thread>

#include <gtest/gtest.h>

#include "async/run.hpp"

namespace gantry::async {
namespace {

using namespace std::chrono_literals;

TEST(WorkerPool, RunsOnAnotherThreadAndReturnsTheValue) {
  Loop loop;
  WorkerPool pool;
  const auto thread = runUntilDone(loop, pool.run([] { return std::this_thread::get_id(); }));
  EXPECT_NE(thread, std::this_thread::get_id());
  const auto failed = runUntilDone(loop, pool.run([]() -> Result<int> { return Error(Code::Busy, "not now"); }));
  EXPECT_EQ(failed.error().code(), Code::Busy);
}

Task<> runSlowly(WorkerPool* pool, std::shared_ptr<bool> done) {
  const auto slow = [done] {
    std::this_thread::sleep_for(20ms);
    *done = true;
    return 0;
  };
  co_await pool->run(slow);
}

Task<> cancelSlowWork(WorkerPool* pool, std::shared_ptr<bool> done) {
  const Executor executor = co_await currentExecutor();
  Scope scope(executor);
  scope.spawn(runSlowly(pool, done));
  ignore(co_await sleep(2ms), "not cancelled here");
  scope.cancel();
  co_await scope.join();
  EXPECT_TRUE(*done);
}

TEST(WorkerPool, WorkThatBeganIsWaitedForEvenWhenCancelled) {
  Loop loop;
  WorkerPool pool;
  runUntilDone(loop, cancelSlowWork(&pool, std::make_shared<bool>(false)));
}

}  // namespace
}  // namespace gantry::async
