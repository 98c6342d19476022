#include "kernel/cgroup.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include "kernel/cgroup_tree.hpp"
#include "kernel/file.hpp"

namespace gantry::kernel {
namespace {

Result<CgroupLayout> layoutOf(std::string_view mounts, std::string_view own, const std::string& controllers = "") {
  return CgroupLayout::parse(mounts, own, [&](const std::string&) { return controllers; });
}

TEST(CgroupLayout, OfAHybridHost) {
  const auto layout = layoutOf(
      "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
      "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:1 - cgroup cgroup rw,cpu,cpuacct\n"
      "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
      "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
      "2:name=systemd:/init.scope\n1:cpu,cpuacct:/user/a\n0::/init.scope\n", "hugetlb\n");
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->mode(), CgroupMode::Hybrid);
  ASSERT_EQ(layout->hierarchies.size(), 3U);
  EXPECT_EQ(*layout->find("cpuacct"),
            (CgroupHierarchy{"cpu,cpuacct", {"cpu", "cpuacct"}, "/sys/fs/cgroup/cpu,cpuacct", "/user/a"}));
  EXPECT_EQ(layout->hierarchies[0].name, "name=systemd");
  EXPECT_TRUE(layout->hierarchies[0].controllers.empty());
  EXPECT_EQ(layout->unified()->mountPoint, "/sys/fs/cgroup/unified");
  EXPECT_EQ(layout->find("hugetlb"), layout->unified());
  EXPECT_EQ(layout->find("memory"), nullptr);
}

TEST(CgroupLayout, OfAV2Host) {
  const auto layout = layoutOf("41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n", "0::/a.slice/b\n",
                               "cpuset cpu io memory pids\n");
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->mode(), CgroupMode::V2);
  EXPECT_EQ(layout->find("io")->self, "/a.slice/b");
  EXPECT_EQ(layout->find("devices"), nullptr);
}

TEST(CgroupLayout, InsideAContainerWithoutACgroupNamespace) {
  const auto layout =
      layoutOf("32 31 0:29 /docker/abc /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n", "1:cpu:/docker/abc/inner\n");
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->mode(), CgroupMode::V1);
  EXPECT_EQ(layout->find("cpu")->self, "/inner");
}

TEST(CgroupLayout, TakesTheMountThroughWhichItsOwnGroupIsSeen) {
  const auto layout = layoutOf(
      "32 31 0:29 /other /mnt/other rw - cgroup cgroup rw,cpu\n"
      "33 31 0:29 / /sys/fs/cgroup/with\\040blank rw - cgroup cgroup rw,cpu\n",
      "1:cpu:/mine\n");
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->find("cpu")->mountPoint, "/sys/fs/cgroup/with blank");
  EXPECT_EQ(layout->find("cpu")->self, "/mine");
}

TEST(CgroupLayout, NeedsAMount) {
  EXPECT_EQ(layoutOf("31 23 0:28 / / rw - ext4 x rw\n", "1:cpu:/\n0::/\n").error().code(), Code::NotFound);
}

class CgroupFiles : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(::mkdtemp(path_.data()), nullptr); }
  void TearDown() override { EXPECT_TRUE(removeTree(path_)); }

  std::string path_ = testing::TempDir() + "gantry-cgroup-XXXXXX";
};

TEST_F(CgroupFiles, Read) {
  ASSERT_TRUE(replaceFile(path_ + "/memory.max", "max\n"));
  ASSERT_TRUE(replaceFile(path_ + "/memory.current", "4096\n"));
  ASSERT_TRUE(replaceFile(path_ + "/memory.stat", "anon 1\nfile 22\nbroken\nlimit max\n"));
  ASSERT_TRUE(replaceFile(path_ + "/cgroup.procs", "7\n0\n9\n"));
  const auto group = open(path_, O_PATH | O_DIRECTORY);
  ASSERT_TRUE(group);
  EXPECT_EQ(*readCgroupNumber(*group, "memory.max"), kCgroupMax);
  EXPECT_EQ(*readCgroupNumber(*group, "memory.current"), 4096U);
  EXPECT_FALSE(readCgroupNumber(*group, "memory.stat"));
  EXPECT_EQ(*readCgroupKeys(*group, "memory.stat"), (CgroupKeys{{"anon", 1}, {"file", 22}, {"limit", kCgroupMax}}));
  EXPECT_EQ(*readCgroupIds(*group), (std::vector<pid_t>{7, 9}));
  EXPECT_EQ(readCgroupText(*group, "cpu.max").error().code(), Code::NotFound);
}

TEST_F(CgroupFiles, OfATreeAreVisitedDeepestFirst) {
  ASSERT_TRUE(makeDirectories(path_ + "/a/b", 0755));
  ASSERT_TRUE(symlinkAt("/", workingDirectory(), path_ + "/link"));
  std::vector<std::string> visited;
  ASSERT_TRUE(eachCgroup(path_, [&](const std::string& one) -> Result<void> {
    visited.push_back(one);
    return {};
  }));
  EXPECT_EQ(visited, (std::vector<std::string>{path_ + "/a/b", path_ + "/a", path_}));
  EXPECT_TRUE(eachCgroup(path_ + "/none", [](const std::string&) { return Result<void>(); }));
  EXPECT_TRUE(cgroupProcesses(path_ + "/none")->empty());
  EXPECT_FALSE(*killCgroup(path_ + "/none"));
  EXPECT_TRUE(*removeCgroup(path_ + "/none"));
}

}  // namespace
}  // namespace gantry::kernel
