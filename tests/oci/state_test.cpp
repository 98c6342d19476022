#include "oci/state.hpp"

#include <gtest/gtest.h>

namespace gantry::oci {
namespace {

TEST(State, ReadsBackWhatItWrites) {
  const State state{.id = "web", .status = "running", .pid = 42, .bundle = "/b", .annotations = {{"k", "v"}}};
  const auto read = parseState(toJson(state));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(*read, state);
}

TEST(State, HasNoPidOnceStopped) {
  const State state{.id = "web", .status = "stopped", .bundle = "/b"};
  EXPECT_EQ(toJson(state), R"({"ociVersion":"1.3.0","id":"web","status":"stopped","bundle":"/b"})");
}

TEST(State, NamesTheMemberThatIsWrong) {
  EXPECT_EQ(parseState(R"({"ociVersion":"1.0.0","id":"a","status":"running"})").error().message(),
            "bundle: is missing");
  EXPECT_EQ(
      parseState(R"({"ociVersion":"1.0.0","id":"a","status":"running","bundle":"/","pid":"1"})").error().message(),
      "pid: is a string, not an integer");
}

}  // namespace
}  // namespace gantry::oci
