#include "runtime/mount_options.hpp"

#include <sys/mount.h>

#include <gtest/gtest.h>

#include "runtime/mounts.hpp"

namespace gantry::runtime {
namespace {

TEST(MountOptions, SplitIntoAttributesAndData) {
  const auto options = parseMountOptions({"nosuid", "noexec", "strictatime", "mode=755", "size=65536k", "newinstance"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->set, std::uint64_t{MOUNT_ATTR_NOSUID} | std::uint64_t{MOUNT_ATTR_NOEXEC} |
                              std::uint64_t{MOUNT_ATTR_STRICTATIME});
  const std::vector<std::pair<std::string, std::string>> data{{"mode", "755"}, {"size", "65536k"}, {"newinstance", ""}};
  EXPECT_EQ(options->data, data);
}

TEST(MountOptions, LetTheLaterWordWin) {
  EXPECT_EQ(parseMountOptions({"ro", "rw"})->set, 0u);
  EXPECT_EQ(parseMountOptions({"ro", "rw"})->clear, std::uint64_t{MOUNT_ATTR_RDONLY});
  EXPECT_EQ(parseMountOptions({"rw", "ro"})->set, std::uint64_t{MOUNT_ATTR_RDONLY});
  EXPECT_EQ(parseMountOptions({"rw", "ro"})->clear, 0u);
  // One of the access time modes replaces another.
  EXPECT_EQ(parseMountOptions({"noatime", "strictatime"})->set, std::uint64_t{MOUNT_ATTR_STRICTATIME});
  EXPECT_EQ(parseMountOptions({"noatime", "relatime"})->set, std::uint64_t{MOUNT_ATTR_RELATIME});
}

TEST(MountOptions, KnowBindsAndRecursiveForms) {
  const auto options = parseMountOptions({"rbind", "rro", "rnoexec", "rslave"});
  ASSERT_TRUE(options);
  EXPECT_TRUE(options->bind);
  EXPECT_TRUE(options->recursiveBind);
  EXPECT_EQ(options->set, 0u);
  EXPECT_EQ(options->recursiveSet, std::uint64_t{MOUNT_ATTR_RDONLY} | std::uint64_t{MOUNT_ATTR_NOEXEC});
  EXPECT_EQ(options->propagation, std::uint64_t{MS_SLAVE});
  EXPECT_TRUE(options->recursivePropagation);
  EXPECT_FALSE(parseMountOptions({"bind", "private"})->recursivePropagation);
}

TEST(MountOptions, RefuseTwoPropagations) {
  const auto options = parseMountOptions({"private", "rshared"});
  ASSERT_FALSE(options);
  EXPECT_EQ(options.error().message(), "'rshared' contradicts an earlier propagation");
}

TEST(MountOptions, ReadTheRootsPropagation) {
  EXPECT_EQ(*parsePropagation(""), 0u);
  EXPECT_EQ(*parsePropagation("rshared"), static_cast<unsigned long>(MS_SHARED | MS_REC));
  EXPECT_EQ(*parsePropagation("slave"), static_cast<unsigned long>(MS_SLAVE));
  EXPECT_EQ(parsePropagation("loud").error().message(), "linux.rootfsPropagation: 'loud' is not a mount propagation");
}

TEST(Mounts, CleanPathsWithoutLookingThemUp) {
  EXPECT_EQ(cleanPath("/proc//self/../sys/."), "/proc/sys");
  EXPECT_EQ(cleanPath("../../etc"), "/etc");
  EXPECT_EQ(cleanPath(""), "/");
}

TEST(Mounts, MayCoverOnlyAFewFilesOfProc) {
  EXPECT_TRUE(mayBeMountedInProc("/proc/meminfo"));
  EXPECT_FALSE(mayBeMountedInProc("/proc/self/attr"));
  EXPECT_FALSE(mayBeMountedInProc("/proc/sys"));
}

}  // namespace
}  // namespace gantry::runtime
