#include "async/event.hpp"

#include <gtest/gtest.h>

#include "async/run.hpp"

namespace gantry::async {
namespace {

using namespace std::chrono_literals;

Task<> countWhenSet(Event event, std::shared_ptr<int> count) {
  const auto waited = co_await event.wait();
  if (waited) ++*count;
}

Task<> wakeThree(std::shared_ptr<int> count) {
  const Executor executor = co_await currentExecutor();
  const Event event(executor);
  Scope scope(executor);
  scope.spawn(countWhenSet(event, count));
  scope.spawn(countWhenSet(event, count));
  ignore(co_await sleep(1ms), "not cancelled here");
  EXPECT_EQ(*count, 0);
  event.set();
  scope.spawn(countWhenSet(event, count));
  co_await scope.join();
}

TEST(Event, WakesAllWaitersAndIsRemembered) {
  Loop loop;
  const auto count = std::make_shared<int>(0);
  runUntilDone(loop, wakeThree(count));
  EXPECT_EQ(*count, 3);
}

Task<> cancelOneWaiter(std::shared_ptr<int> count) {
  const Executor executor = co_await currentExecutor();
  const Event event(executor);
  Scope first(executor);
  Scope second(executor);
  first.spawn(countWhenSet(event, count));
  second.spawn(countWhenSet(event, count));
  ignore(co_await sleep(1ms), "not cancelled here");
  first.cancel();
  co_await first.join();
  EXPECT_EQ(second.live(), 1U);
  event.set();
  co_await second.join();
}

TEST(Event, CancellingOneWaiterLeavesTheOthers) {
  Loop loop;
  const auto count = std::make_shared<int>(0);
  runUntilDone(loop, cancelOneWaiter(count));
  EXPECT_EQ(*count, 1);
}

Task<> follow(Notification changes, std::shared_ptr<std::vector<std::uint64_t>> seen) {
  std::uint64_t last = 0;
  while (last < 3) {
    const auto next = co_await changes.after(last);
    if (!next) co_return;
    last = *next;
    seen->push_back(last);
  }
}

Task<> notifyThreeTimes(std::shared_ptr<std::vector<std::uint64_t>> seen) {
  const Executor executor = co_await currentExecutor();
  const Notification changes(executor);
  Scope scope(executor);
  changes.notify();
  scope.spawn(follow(changes, seen));
  ignore(co_await sleep(1ms), "not cancelled here");
  changes.notify();
  changes.notify();
  co_await scope.join();
}

TEST(Notification, MissesNoOccurrenceBetweenTwoLooks) {
  Loop loop;
  const auto seen = std::make_shared<std::vector<std::uint64_t>>();
  runUntilDone(loop, notifyThreeTimes(seen));
  EXPECT_EQ(*seen, (std::vector<std::uint64_t>{1, 3}));
}

}  // namespace
}  // namespace gantry::async
