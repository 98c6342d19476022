#include "base/json_depth.hpp"

#include <gtest/gtest.h>

#include <string>

namespace gantry {
namespace {

TEST(JsonDepth, CountsArraysAndObjects) {
  EXPECT_FALSE(isNestedDeeperThan(0, "1"));
  EXPECT_TRUE(isNestedDeeperThan(0, "[]"));
  EXPECT_FALSE(isNestedDeeperThan(3, R"([{"a":[]},[[]]])"));
  EXPECT_TRUE(isNestedDeeperThan(2, R"([{"a":[]},[[]]])"));
}

TEST(JsonDepth, DoesNotLookIntoStrings) {
  EXPECT_FALSE(isNestedDeeperThan(1, R"(["[[[", "\"[[{", "\\"])"));
  EXPECT_TRUE(isNestedDeeperThan(1, R"(["\\", [)"));
}

TEST(JsonDepth, StopsWhereTheTextDoes) {
  EXPECT_FALSE(isNestedDeeperThan(1, R"(["\)"));
  EXPECT_TRUE(isNestedDeeperThan(1000, std::string(1'000'000, '[')));
}

}  // namespace
}  // namespace gantry
