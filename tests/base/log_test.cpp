#include "base/log.hpp"

#include <chrono>
#include <optional>

#include <gtest/gtest.h>

#include "base/log_limit.hpp"

namespace gantry::log {
namespace {

TEST(Log, WritesOneEventAsSentenceAndFields) {
  EXPECT_EQ(format(Level::Info, "container started", {{"container", "web"}, {"pid", 7}}),
            "info container started container=web pid=7");
}

TEST(Log, QuotesWhatAUserMayHaveWritten) {
  EXPECT_EQ(format(Level::Warning, "refused", {{"name", "a \"b\"\nlevel=error"}, {"empty", ""}, {"bell", "\a"}}),
            R"(warning refused name="a \"b\"\nlevel=error" empty="" bell="\x07")");
}

TEST(LogLimit, LetsOneThroughInAWhileAndCountsTheOthers) {
  Limit limit(std::chrono::seconds(1));
  const Limit::Clock::time_point start;
  EXPECT_EQ(limit.pass(start), 0U);
  EXPECT_EQ(limit.pass(start + std::chrono::milliseconds(1)), std::nullopt);
  EXPECT_EQ(limit.pass(start + std::chrono::milliseconds(999)), std::nullopt);
  EXPECT_EQ(limit.pass(start + std::chrono::seconds(1)), 2U);
  EXPECT_EQ(limit.pass(start + std::chrono::seconds(2)), 0U);
}

}  // namespace
}  // namespace gantry::log
