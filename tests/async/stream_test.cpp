#include "async/stream.hpp"

#include <gtest/gtest.h>

#include "async/run.hpp"

namespace gantry::async {
namespace {

using SharedStream = std::shared_ptr<ByteStream>;

Task<> writeAndEnd(SharedStream stream, std::string data) {
  ignore(co_await stream->write(std::move(data)), "the reader reads all");
  stream->closeWrite();
}

Task<std::string> readAll(SharedStream stream) {
  std::string all;
  while (true) {
    const auto piece = co_await stream->read(7);
    if (!piece || piece->empty()) co_return all;
    all += *piece;
  }
}

Task<std::string> sendThrough(SharedStream from, SharedStream to, std::string data) {
  const Executor executor = co_await currentExecutor();
  Scope scope(executor);
  scope.spawn(writeAndEnd(std::move(from), std::move(data)));
  std::string all = co_await readAll(std::move(to));
  co_await scope.join();
  co_return all;
}

TEST(MemoryStreams, CarryMoreThanTheyHold) {
  Loop loop;
  auto [first, second] = memoryStreams(loop.get_executor(), 10);
  const std::string data(1000, 'x');
  EXPECT_EQ(runUntilDone(loop, sendThrough(std::move(first), std::move(second), data)), data);
}

TEST(MemoryStreams, AClosedOneEndsTheOther) {
  Loop loop;
  auto [first, second] = memoryStreams(loop.get_executor());
  second.reset();
  EXPECT_EQ(*runUntilDone(loop, first->read(10)), "");
  const auto written = runUntilDone(loop, first->write("x"));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code(), Code::Unavailable);
}

}  // namespace
}  // namespace gantry::async
