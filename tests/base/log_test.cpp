#include "base/log.hpp"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace gantry::log
