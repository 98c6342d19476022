#include "fetcher/pull/chunk_queue.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <thread>

namespace gantry::fetcher {
namespace {

// Writes `data` in pieces of up to `piece` bytes; what space() said when it failed.
Result<void> writeInto(ChunkQueue& queue, std::string_view data, std::size_t piece) {
  while (!data.empty()) {
    TRY(const auto space, queue.space());
    const std::size_t count = std::min({space.size(), data.size(), piece});
    std::memcpy(space.data(), data.data(), count);
    queue.produced(count);
    data.remove_prefix(count);
  }
  return {};
}

TEST(ChunkQueue, CarriesEverythingInOrder) {
  std::string data;
  for (int i = 0; i < 20'000; ++i) data += std::to_string(i);
  ChunkQueue queue(3, 1000);
  std::thread writer([&] { queue.finish(writeInto(queue, data, 77)); });
  std::string read;
  while (true) {
    const auto chunk = queue.next();
    ASSERT_TRUE(chunk);
    if (chunk->empty()) break;
    read += *chunk;
  }
  writer.join();
  EXPECT_EQ(read == data, true);
}

TEST(ChunkQueue, GivesTheErrorAfterTheBytesBeforeIt) {
  ChunkQueue queue(3, 1000);
  ASSERT_TRUE(writeInto(queue, "abc", 3));
  queue.finish(Error(Code::InvalidArgument, "broken"));
  EXPECT_EQ(queue.next().value(), "abc");
  EXPECT_EQ(queue.next().error().message(), "broken");
  EXPECT_EQ(queue.next().error().message(), "broken");
}

TEST(ChunkQueue, AWriterIsToldWhenTheReaderGaveUp) {
  ChunkQueue queue(2, 10);
  Result<void> how;
  std::thread writer([&] { how = writeInto(queue, std::string(1000, 'x'), 10); });
  EXPECT_TRUE(queue.next());
  queue.giveUp();
  writer.join();
  ASSERT_FALSE(how);
  EXPECT_EQ(how.error().code(), Code::Cancelled);
}

}  // namespace
}  // namespace gantry::fetcher
