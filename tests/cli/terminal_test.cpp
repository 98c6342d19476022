#include "cli/terminal.hpp"

#include <gtest/gtest.h>

#include "cli/attach.hpp"

namespace gantry::cli {
namespace {

TEST(DetachKeys, AreCtrlPAndCtrlQInARow) {
  DetachKeys keys;
  EXPECT_EQ(keys.filter("ls\r"), "ls\r");
  EXPECT_EQ(keys.filter("a\x10"
                        "b"),
            "a\x10"
            "b");
  EXPECT_FALSE(keys.areTyped());
  EXPECT_EQ(keys.filter("x\x10"), "x") << "held back until the next key is known";
  EXPECT_EQ(keys.filter("\x11rest"), "");
  EXPECT_TRUE(keys.areTyped());
}

TEST(DetachKeys, GoOnWithOneOfTwoCtrlPs) {
  DetachKeys keys;
  EXPECT_EQ(keys.filter("\x10\x10"), "\x10");
  EXPECT_EQ(keys.filter("\x11"), "");
  EXPECT_TRUE(keys.areTyped());
  DetachKeys alone;
  EXPECT_EQ(alone.filter("\x11"), "\x11");
  EXPECT_FALSE(alone.areTyped());
}

TEST(Records, AreThoseOfMesos) {
  EXPECT_EQ(
      firstInputRecord("s", "web"),
      R"({"attach_container_input":{"container_id":{"parent":{"value":"web"},"value":"s"},"type":"CONTAINER_ID"},)"
      R"("type":"ATTACH_CONTAINER_INPUT"})");
  EXPECT_NE(dataRecord("ls\n").find("\"bHMK\""), std::string::npos);
  EXPECT_NE(windowRecord({24, 80}).find(R"("columns":80)"), std::string::npos);
  const auto output = parseOutputRecord(R"({"type":"DATA","data":{"type":"STDERR","data":"aGVsbG8K"}})");
  ASSERT_TRUE(output);
  EXPECT_TRUE(output->isError);
  EXPECT_EQ(output->data, "hello\n");
  EXPECT_TRUE(parseOutputRecord(R"({"type":"CONTROL","control":{"type":"HEARTBEAT"}})")->data.empty());
  EXPECT_FALSE(parseOutputRecord("x"));
  EXPECT_FALSE(parseOutputRecord(R"({"type":"DATA","data":{"type":"STDOUT","data":"*"}})"));
}

}  // namespace
}  // namespace gantry::cli
