#include "async/scope.hpp"

#include <gtest/gtest.h>

#include "async/event.hpp"
#include "async/run.hpp"

namespace gantry::async {
namespace {

using namespace std::chrono_literals;

Task<> appendAfter(std::shared_ptr<std::string> log, Duration delay, char letter) {
  const auto slept = co_await sleep(delay);
  log->push_back(slept ? letter : '!');
}

Task<> startTwoAndJoin(std::shared_ptr<std::string> log) {
  const Executor executor = co_await currentExecutor();
  Scope scope(executor);
  scope.spawn(appendAfter(log, 20ms, 'b'));
  scope.spawn(appendAfter(log, 1ms, 'a'));
  EXPECT_EQ(scope.live(), 2U);
  EXPECT_EQ(*log, "") << "a child runs inside spawn";
  co_await scope.join();
  log->push_back('.');
}

TEST(Scope, JoinWaitsForAllChildren) {
  Loop loop;
  const auto log = std::make_shared<std::string>();
  runUntilDone(loop, startTwoAndJoin(log));
  EXPECT_EQ(*log, "ab.");
}

Task<> startAndCancel(std::shared_ptr<std::string> log) {
  const Executor executor = co_await currentExecutor();
  Scope scope(executor);
  scope.spawn(appendAfter(log, 1h, 'a'));
  co_await yield();
  scope.cancel();
  scope.spawn(appendAfter(log, 1h, 'b'));
  co_await scope.join();
}

TEST(Scope, CancelEndsTheWaitsOfChildrenEvenOfLaterOnes) {
  Loop loop;
  const auto log = std::make_shared<std::string>();
  runUntilDone(loop, startAndCancel(log));
  EXPECT_EQ(*log, "!!");
}

Task<> cancelBeforeTheFirstTurn(std::shared_ptr<std::string> log) {
  const Executor executor = co_await currentExecutor();
  Scope scope(executor);
  scope.spawn(appendAfter(log, 1h, 'a'));
  scope.cancel();
  co_await scope.join();
}

TEST(Scope, AChildCancelledBeforeItsFirstTurnEnds) {
  Loop loop;
  const auto log = std::make_shared<std::string>();
  runUntilDone(loop, cancelBeforeTheFirstTurn(log));
  EXPECT_EQ(*log, "!");
}

Task<> cancelTheParent(std::shared_ptr<std::string> log) {
  const Executor executor = co_await currentExecutor();
  Scope outer(executor);
  outer.spawn(startTwoAndJoin(log));
  co_await yield();
  co_await yield();
  outer.cancel();
  co_await outer.join();
}

TEST(Scope, CancellingAParentCancelsItsChildrenAndWaitsForThem) {
  Loop loop;
  const auto log = std::make_shared<std::string>();
  runUntilDone(loop, cancelTheParent(log));
  EXPECT_EQ(*log, "!!.");
}

Task<> loopForever(std::shared_ptr<int> rounds) {
  while (true) {
    const auto slept = co_await sleep(0ns);
    if (!slept) co_return;
    ++*rounds;
  }
}

Task<> cancelABusyChild(std::shared_ptr<int> rounds) {
  const Executor executor = co_await currentExecutor();
  Scope scope(executor);
  scope.spawn(loopForever(rounds));
  ignore(co_await sleep(5ms), "not cancelled here");
  scope.cancel();
  co_await scope.join();
}

TEST(Scope, CancellingReachesAChildThatNeverWaitsLong) {
  Loop loop;
  const auto rounds = std::make_shared<int>(0);
  runUntilDone(loop, cancelABusyChild(rounds));
  EXPECT_GT(*rounds, 0);
}

TEST(ScopeDeathTest, DestroyingOneWithLiveChildrenIsABug) {
  EXPECT_DEATH(
      {
        Loop loop;
        Scope scope(loop.get_executor());
        scope.spawn(never());
      },
      "destroyed while its children live");
}

Task<> throwSomething() {
  co_await yield();
  throw std::runtime_error("unexpected");
}

TEST(ScopeDeathTest, AnExceptionOutOfAChildIsABug) {
  Loop loop;
  EXPECT_DEATH(runUntilDone(loop, throwSomething()), "unexpected");
}

Task<Result<int>> sevenAfter(Duration delay) {
  CO_TRY_VOID(co_await sleep(delay));
  co_return 7;
}

TEST(WithTimeout, ReturnsTheValueInTime) {
  Loop loop;
  EXPECT_EQ(*runUntilDone(loop, withTimeout(10s, sevenAfter(1ms))), 7);
}

TEST(WithTimeout, CancelsWhatTakesTooLong) {
  Loop loop;
  const auto result = runUntilDone(loop, withTimeout(5ms, sevenAfter(1h)));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), Code::Timeout);
  EXPECT_EQ(result.error().message(), "not done after 5ms");
}

Task<> keepCode(std::shared_ptr<std::optional<Code>> code) {
  const auto result = co_await withTimeout(1h, sevenAfter(1h));
  if (!result) *code = result.error().code();
}

Task<> cancelSoon(std::shared_ptr<std::optional<Code>> code) {
  const Executor executor = co_await currentExecutor();
  Scope scope(executor);
  scope.spawn(keepCode(code));
  ignore(co_await sleep(2ms), "not cancelled here");
  scope.cancel();
  co_await scope.join();
}

TEST(WithTimeout, IsCancelledFromOutside) {
  Loop loop;
  const auto code = std::make_shared<std::optional<Code>>();
  runUntilDone(loop, cancelSoon(code));
  EXPECT_EQ(*code, Code::Cancelled);
}

Task<> cleanUpShielded(std::shared_ptr<std::string> log) {
  const auto slept = co_await sleep(1h);
  log->push_back(slept ? '?' : '!');
  co_await shield(appendAfter(log, 2ms, 'c'));
  Task<Result<int>> seven = sevenAfter(1ms);
  const auto value = co_await shield(std::move(seven));
  log->push_back(value ? '7' : '!');
}

Task<> cancelWhileWaiting(std::shared_ptr<std::string> log) {
  const Executor executor = co_await currentExecutor();
  Scope scope(executor);
  scope.spawn(cleanUpShielded(log));
  ignore(co_await sleep(2ms), "not cancelled here");
  scope.cancel();
  co_await scope.join();
}

TEST(Shield, LetsCleanUpWaitInACancelledCoroutine) {
  Loop loop;
  const auto log = std::make_shared<std::string>();
  runUntilDone(loop, cancelWhileWaiting(log));
  EXPECT_EQ(*log, "!c7");
}

Task<std::vector<Result<int>>> twoAtOnce() {
  std::vector<Task<Result<int>>> work;
  work.push_back(sevenAfter(5ms));
  work.push_back(sevenAfter(1ms));
  co_return co_await all(std::move(work));
}

TEST(All, ReturnsEveryResultInOrder) {
  Loop loop;
  const auto results = runUntilDone(loop, twoAtOnce());
  ASSERT_EQ(results.size(), 2U);
  EXPECT_EQ(*results[0], 7);
}

TEST(Time, DurationsReadWell) {
  EXPECT_EQ(toString(1500ms), "1.5s");
  EXPECT_EQ(toString(20ms), "20ms");
  EXPECT_EQ(toString(30us), "30us");
}

}  // namespace
}  // namespace gantry::async
