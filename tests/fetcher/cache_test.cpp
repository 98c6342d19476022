#include "fetcher/uris/cache.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <future>
#include <string>
#include <thread>

#include "kernel/file.hpp"

namespace gantry::fetcher {
namespace {

class CacheTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "gantry-cache-XXXXXX";
    directory_ = ::mkdtemp(name.data());
  }
  void TearDown() override { ignore(kernel::removeTree(directory_), "a test's directory"); }

  Cache open(std::uint64_t size = 100) const {
    auto cache = Cache::open({.directory = directory_, .size = Bytes{size}});
    EXPECT_TRUE(cache) << cache.error().message();
    return *std::move(cache);
  }

  static CacheSlot lock(const Cache& cache, const std::string& uri, uid_t uid = 1000) {
    auto slot = cache.lock(uid, uri);
    EXPECT_TRUE(slot) << slot.error().message();
    return *std::move(slot);
  }

  // False when there was no room.
  static bool put(const Cache& cache, const std::string& uri, const std::string& content) {
    CacheSlot slot = lock(cache, uri);
    const auto staged = slot.stage();
    EXPECT_TRUE(staged) << staged.error().message();
    const auto hasRoom = slot.reserve(Bytes{content.size()});
    EXPECT_TRUE(hasRoom) << hasRoom.error().message();
    if (!*hasRoom) return false;
    EXPECT_TRUE(kernel::writeAll(**staged, content));
    const auto published = slot.publish({.size = Bytes{content.size()}, .version = {.etag = "\"1\""}});
    EXPECT_TRUE(published) << published.error().message();
    return true;
  }

  static std::string get(const Cache& cache, const std::string& uri, uid_t uid = 1000) {
    const CacheSlot slot = lock(cache, uri, uid);
    auto file = slot.find();
    EXPECT_TRUE(file) << file.error().message();
    if (!*file) return "nothing";
    EXPECT_TRUE(slot.touch());
    return *kernel::readAll((*file)->content);
  }

  std::string onlyEntry() const {
    return directory_ + "/entries/" + kernel::listDirectory(directory_ + "/entries")->front();
  }

  std::string directory_;
};

TEST_F(CacheTest, KeepsFilesByUserAndUri) {
  const Cache cache = open();
  EXPECT_TRUE(put(cache, "http://a", "content"));
  EXPECT_EQ(get(cache, "http://a"), "content");
  EXPECT_EQ(get(cache, "http://b"), "nothing");
  EXPECT_EQ(get(cache, "http://a", 1001), "nothing");
  EXPECT_EQ(get(open(), "http://a"), "content");
  EXPECT_EQ(cache.used()->count, 7U);
}

TEST_F(CacheTest, TheLeastRecentlyUsedGoFirst) {
  const Cache cache = open(30);
  EXPECT_TRUE(put(cache, "a", "aaaaaaaaaa"));
  EXPECT_TRUE(put(cache, "b", "bbbbbbbbbb"));
  EXPECT_TRUE(put(cache, "c", "cccccccccc"));
  EXPECT_EQ(get(cache, "a"), "aaaaaaaaaa");
  EXPECT_TRUE(put(cache, "d", "dddddddddd"));
  EXPECT_EQ(get(cache, "b"), "nothing");
  EXPECT_EQ(get(cache, "a"), "aaaaaaaaaa");
  EXPECT_LE(cache.used()->count, 30U);
  EXPECT_FALSE(put(cache, "e", std::string(31, 'e')));
  EXPECT_EQ(get(cache, "a"), "aaaaaaaaaa");
}

TEST_F(CacheTest, AReservationCounts) {
  const Cache cache = open(30);
  CacheSlot filling = lock(cache, "a");
  ASSERT_TRUE(filling.stage());
  EXPECT_TRUE(*filling.reserve(Bytes{20}));
  EXPECT_FALSE(put(cache, "b", std::string(20, 'b')));
  EXPECT_TRUE(put(cache, "c", std::string(10, 'c')));
  EXPECT_TRUE(*filling.reserve(Bytes{25}));
  EXPECT_EQ(get(cache, "c"), "nothing");
}

TEST_F(CacheTest, WhatIsReadMayBeRemovedMeanwhile) {
  const Cache cache = open(10);
  EXPECT_TRUE(put(cache, "a", "aaaaaaaaaa"));
  const CacheSlot slot = lock(cache, "a");
  const auto reading = slot.find();
  EXPECT_TRUE(put(cache, "b", "bbbbbbbbbb"));
  EXPECT_EQ(*kernel::readAll((*reading)->content), "aaaaaaaaaa");
  EXPECT_TRUE(slot.touch());
  EXPECT_FALSE(*slot.find());
}

TEST_F(CacheTest, WhatIsNotPublishedLeavesNothing) {
  const Cache cache = open();
  {
    CacheSlot slot = lock(cache, "a");
    ASSERT_TRUE(slot.stage());
    EXPECT_TRUE(*slot.reserve(Bytes{20}));
  }
  EXPECT_EQ(cache.used()->count, 0U);
  EXPECT_TRUE(kernel::listDirectory(directory_ + "/staging")->empty());
  EXPECT_TRUE(kernel::listDirectory(directory_ + "/locks")->empty());
}

TEST_F(CacheTest, OpeningSweepsWhatTheDeadLeft) {
  open();
  ASSERT_TRUE(kernel::makeDirectories(directory_ + "/staging/1-0", 0700));
  ASSERT_TRUE(kernel::replaceFile(directory_ + "/staging/1-0/content", "half"));
  ASSERT_TRUE(kernel::replaceFile(directory_ + "/locks/abc", ""));
  const Cache cache = open();
  const CacheSlot held = lock(cache, "a");
  const Cache another = open();
  EXPECT_TRUE(kernel::listDirectory(directory_ + "/staging")->empty());
  EXPECT_EQ(kernel::listDirectory(directory_ + "/locks")->size(), 1U);
}

TEST_F(CacheTest, DamagedEntriesAreDropped) {
  const Cache cache = open();
  for (const char* damage : {"truncated", "no about", "no content", "nonsense"}) {
    EXPECT_TRUE(put(cache, "a", "content"));
    const std::string entry = onlyEntry();
    const std::string kind = damage;
    if (kind == "truncated") {
      ASSERT_TRUE(kernel::replaceFile(entry + "/content", "conten"));
    } else if (kind == "nonsense") {
      ASSERT_TRUE(kernel::replaceFile(entry + "/about", "{\"size\": -1}"));
    } else {
      ASSERT_TRUE(kernel::unlink(entry + (kind == "no about" ? "/about" : "/content")));
    }
    EXPECT_EQ(get(cache, "a"), "nothing") << damage;
    EXPECT_EQ(cache.used()->count, 0U);
  }
}

TEST_F(CacheTest, AnEntryOfAnEarlierBootIsNotUsed) {
  const Cache cache = open();
  EXPECT_TRUE(put(cache, "a", "content"));
  ASSERT_TRUE(kernel::replaceFile(onlyEntry() + "/about", R"({"boot": "another", "size": 7})"));
  EXPECT_EQ(get(cache, "a"), "nothing");
}

TEST_F(CacheTest, ASlotIsWaitedFor) {
  const Cache cache = open();
  std::future<std::string> waiting;
  {
    CacheSlot slot = lock(cache, "a");
    waiting = std::async(std::launch::async, [&] { return get(cache, "a"); });
    EXPECT_EQ(waiting.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
    const auto staged = slot.stage();
    EXPECT_TRUE(*slot.reserve(Bytes{3}));
    ASSERT_TRUE(kernel::writeAll(**staged, "new"));
    EXPECT_TRUE(slot.publish({.size = Bytes{3}}));
  }
  EXPECT_EQ(waiting.get(), "new");
}

}  // namespace
}  // namespace gantry::fetcher
