#include "async/channel.hpp"

#include <gtest/gtest.h>

#include "async/run.hpp"

namespace gantry::async {
namespace {

Task<> sendFive(Channel<int> channel) {
  for (int value = 1; value <= 5; ++value) ignore(co_await channel.send(value), "the receiver reads all");
  channel.close();
}

Task<int> sumOfFive() {
  const Executor executor = co_await currentExecutor();
  const Channel<int> channel(executor, 2);
  Scope scope(executor);
  scope.spawn(sendFive(channel));
  int sum = 0;
  while (true) {
    const auto value = co_await channel.receive();
    if (!value || !*value) break;
    sum += **value;
  }
  co_await scope.join();
  co_return sum;
}

TEST(Channel, HandsOverInOrderThroughABoundedQueueAndEnds) {
  Loop loop;
  EXPECT_EQ(runUntilDone(loop, sumOfFive()), 15);
}

TEST(Channel, RefusesWhenFullOrClosed) {
  Loop loop;
  const Channel<int> channel(loop.get_executor(), 1);
  EXPECT_TRUE(channel.trySend(1));
  EXPECT_FALSE(channel.trySend(2));
  channel.close();
  const auto sent = runUntilDone(loop, channel.send(3));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code(), Code::Unavailable);
  const auto first = runUntilDone(loop, channel.receive());
  EXPECT_EQ(**first, 1) << "what was queued is still received";
  const auto end = runUntilDone(loop, channel.receive());
  EXPECT_FALSE(*end);
}

}  // namespace
}  // namespace gantry::async
