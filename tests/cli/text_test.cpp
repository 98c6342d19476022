#include "cli/text.hpp"

#include <gtest/gtest.h>

namespace gantry::cli {
namespace {

using namespace std::chrono_literals;

TEST(Table, PadsItsColumns) {
  EXPECT_EQ(table({{"ID", "NAME"}, {"a", "x"}, {"longer", ""}}), "ID       NAME\na        x\nlonger\n");
}

TEST(Text, IsShortened) {
  EXPECT_EQ(shortened("sleep 10", 8), "sleep 10");
  EXPECT_EQ(shortened("sleep 100", 8), "sleep...");
  EXPECT_EQ(shortDigest("sha256:0123456789abcdef"), "0123456789ab");
}

TEST(Time, IsReadAndSpelledAsAnAge) {
  const auto time = parseTime("1970-01-02T00:00:01.500Z");
  ASSERT_TRUE(time);
  EXPECT_EQ(time->time_since_epoch(), 24h + 1s);
  EXPECT_FALSE(parseTime("yesterday"));
  EXPECT_EQ(age(1s), "1 second");
  EXPECT_EQ(age(59s), "59 seconds");
  EXPECT_EQ(age(60s), "1 minute");
  EXPECT_EQ(age(2h), "2 hours");
  EXPECT_EQ(age(49h), "2 days");
  EXPECT_EQ(age(-5s), "0 seconds");
}

}  // namespace
}  // namespace gantry::cli
