#include "kernel/mount_info.hpp"

#include <gtest/gtest.h>

namespace gantry::kernel {
namespace {

TEST(MountInfo, ReadsEveryFieldThatWeUse) {
  const auto entries = parseMountInfo(
      "36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 shared:7 - ext3 /dev/root rw,errors=continue\n"
      "37 36 0:5 / /mnt\\0402/proc ro - proc none rw\n");
  ASSERT_TRUE(entries);
  ASSERT_EQ(entries->size(), 2U);
  const MountEntry& first = entries->front();
  EXPECT_EQ(first.id, 36);
  EXPECT_EQ(first.parent, 35);
  EXPECT_EQ(first.root, "/mnt1");
  EXPECT_EQ(first.mountPoint, "/mnt 2");
  EXPECT_EQ(first.options, "rw,noatime");
  EXPECT_TRUE(first.shared);
  EXPECT_EQ(first.type, "ext3");
  EXPECT_EQ(first.source, "/dev/root");
  EXPECT_FALSE(entries->back().shared);
  EXPECT_EQ(entries->back().mountPoint, "/mnt 2/proc");
}

TEST(MountInfo, RefusesALineWithoutASeparator) {
  EXPECT_FALSE(parseMountInfo("36 35 98:0 / / rw\n"));
}

TEST(MountInfo, TellsAPathBelowFromOneThatOnlyBeginsAlike) {
  EXPECT_TRUE(isAtOrBelow("/proc", "/proc"));
  EXPECT_TRUE(isAtOrBelow("/proc/sys", "/proc"));
  EXPECT_TRUE(isAtOrBelow("/proc", "/"));
  EXPECT_FALSE(isAtOrBelow("/process", "/proc"));
  EXPECT_FALSE(isAtOrBelow("/", "/proc"));
}

TEST(MountInfo, ReadsThisProcessesMounts) {
  const auto entries = readMountInfo();
  ASSERT_TRUE(entries) << entries.error().message();
  EXPECT_FALSE(entries->empty());
}

}  // namespace
}  // namespace gantry::kernel
