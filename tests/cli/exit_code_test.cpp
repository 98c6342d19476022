#include "cli/exit_code.hpp"

#include <gtest/gtest.h>

namespace gantry::cli {
namespace {

Ending endingOf(const std::string& details, bool nested = false) {
  const std::string part = nested ? "wait_nested_container" : "wait_container";
  const std::string type = nested ? "WAIT_NESTED_CONTAINER" : "WAIT_CONTAINER";
  return *parseEnding(R"({"type":")" + type + "\",\"" + part + "\":" + details + "}");
}

TEST(Ending, HasTheProgramsOwnCode) {
  EXPECT_EQ(endingOf(R"({"exit_status":0,"message":"exited with status 0"})").code, 0);
  EXPECT_EQ(endingOf(R"({"exit_status":768})").code, 3);
  EXPECT_EQ(endingOf(R"({"exit_status":768})", true).code, 3);
  EXPECT_EQ(endingOf(R"({"exit_status":9})").code, 137);
  EXPECT_EQ(endingOf(R"({"exit_status":143})").code, 128 + 15) << "a core dump's flag is no part of the signal";
  EXPECT_EQ(endingOf(R"({"exit_status":256,"message":"exited with status 1"})").message, "");
}

TEST(Ending, SaysWhoElseEndedIt) {
  const Ending limited =
      endingOf(R"({"exit_status":9,"reason":"REASON_CONTAINER_LIMITATION_MEMORY","message":"too much"})");
  EXPECT_EQ(limited.code, 137);
  EXPECT_EQ(limited.message, "too much");
  const Ending unknown = endingOf(R"({"message":"nobody saw it end"})");
  EXPECT_EQ(unknown.code, 125);
  EXPECT_EQ(unknown.message, "nobody saw it end");
  EXPECT_FALSE(parseEnding("{}"));
  EXPECT_FALSE(parseEnding(""));
}

TEST(LaunchFailure, IsTold126And127ApartAsDockerDoes) {
  const auto code = [](const char* sentence) { return launchFailureCode(Error(Code::InvalidArgument, sentence)); };
  EXPECT_EQ(code("exec: \"x\": executable file not found in $PATH"), 127);
  EXPECT_EQ(code("exec '/x': no such file or directory"), 127);
  EXPECT_EQ(code("exec '/etc/passwd': permission denied"), 126);
  EXPECT_EQ(code("resources[0].name: 'gpus' is not a resource of this agent"), 125);
}

}  // namespace
}  // namespace gantry::cli
