#include "fetcher/pull/challenge.hpp"

#include <gtest/gtest.h>

namespace gantry::fetcher {
namespace {

TEST(Challenge, ReadsBearerAndBasic) {
  const auto read = parseChallenges(
      R"(Bearer realm="https://a/t",service="a, \"b\"",scope="repository:x:pull,push", Basic realm=plain)");
  ASSERT_EQ(read.size(), 2U);
  EXPECT_EQ(read[0].scheme, "bearer");
  EXPECT_EQ(read[0].parameters.at("realm"), "https://a/t");
  EXPECT_EQ(read[0].parameters.at("service"), "a, \"b\"");
  EXPECT_EQ(read[0].parameters.at("scope"), "repository:x:pull,push");
  EXPECT_EQ(read[1].scheme, "basic");
  EXPECT_EQ(read[1].parameters.at("realm"), "plain");
}

TEST(Challenge, StopsAtNonsense) {
  EXPECT_TRUE(parseChallenges("").empty());
  EXPECT_TRUE(parseChallenges("=x").empty());
  EXPECT_EQ(parseChallenges(R"(Bearer realm="unterminated)")[0].parameters.at("realm"), "unterminated");
}

TEST(Token, IsTakenUnderEitherName) {
  EXPECT_EQ(parseToken(R"({"token":"a"})").value(), "a");
  EXPECT_EQ(parseToken(R"({"access_token":"b"})").value(), "b");
  EXPECT_FALSE(parseToken("{}"));
  EXPECT_FALSE(parseToken(R"({"token":"a\r\nX-Evil: 1"})"));
}

TEST(RegistryErrors, AreJoined) {
  EXPECT_EQ(parseRegistryErrors(R"({"errors":[{"message":"a"},{"code":"x"},{"message":"b"}]})"), "a; b");
  EXPECT_EQ(parseRegistryErrors("<html>"), "");
}

}  // namespace
}  // namespace gantry::fetcher
