#include "isolators/cgroups/usage.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "kernel/file.hpp"

namespace gantry::isolators {
namespace {

// Directories that look like cgroups.
class UsageFiles : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(::mkdtemp(path_.data()), nullptr); }
  void TearDown() override { EXPECT_TRUE(kernel::removeTree(path_)); }

  void write(const std::string& file, const std::string& text) {
    const std::string path = path_ + "/" + file;
    ASSERT_TRUE(kernel::makeDirectories(path.substr(0, path.rfind('/')), 0755));
    ASSERT_TRUE(kernel::replaceFile(path, text));
  }
  kernel::CgroupHierarchy hierarchy(const std::string& name, std::vector<std::string> controllers,
                                    const std::string& directory) {
    return {name, std::move(controllers), path_ + directory, ""};
  }

  std::string path_ = testing::TempDir() + "gantry-usage-XXXXXX";
};

TEST_F(UsageFiles, AreReadOnV1) {
  const kernel::CgroupLayout layout{{hierarchy("cpu,cpuacct", {"cpu", "cpuacct"}, "/cpu"),
                                     hierarchy("memory", {"memory"}, "/memory"), hierarchy("pids", {"pids"}, "/pids"),
                                     hierarchy("", {}, "/unified")}};
  write("cpu/g/web/cpuacct.usage_user", "1500000000\n");
  write("cpu/g/web/cpuacct.usage_sys", "250000000\n");
  write("cpu/g/web/cpu.stat", "nr_periods 10\nnr_throttled 4\nthrottled_time 2000000000\nnr_bursts 0\n");
  write(
      "memory/g/web/memory.stat",
      "cache 1\nrss 1\ntotal_cache 8192\ntotal_rss 4096\ntotal_mapped_file 2048\ntotal_swap 0\ntotal_unevictable 5\n");
  write("memory/g/web/memory.usage_in_bytes", "16384\n");
  write("memory/g/web/memory.limit_in_bytes", "67108864\n");
  write("pids/g/web/cgroup.procs", "12\n13\n");
  write("pids/g/web/pids.current", "7\n");
  Usage usage;
  const auto read = readUsage(layout, "/g/web", usage);
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_DOUBLE_EQ(*usage.cpusUserTimeSecs, 1.5);
  EXPECT_DOUBLE_EQ(*usage.cpusSystemTimeSecs, 0.25);
  EXPECT_EQ(usage.cpusNrPeriods, 10U);
  EXPECT_EQ(usage.cpusNrThrottled, 4U);
  EXPECT_DOUBLE_EQ(*usage.cpusThrottledTimeSecs, 2.0);
  EXPECT_EQ(usage.memTotalBytes, 16384U);
  EXPECT_EQ(usage.memLimitBytes, 67108864U);
  EXPECT_EQ(usage.memRssBytes, 4096U);
  EXPECT_EQ(usage.memFileBytes, 8192U);
  EXPECT_EQ(usage.memMappedFileBytes, 2048U);
  EXPECT_EQ(usage.memUnevictableBytes, 5U);
  EXPECT_EQ(usage.processes, 2U);
  EXPECT_EQ(usage.threads, 7U);
}

TEST_F(UsageFiles, AreReadOnV2) {
  const kernel::CgroupLayout layout{{hierarchy("", {"cpu", "memory", "pids"}, "")}};
  write("g/web/cpu.stat",
        "usage_usec 1750000\nuser_usec 1500000\nsystem_usec 250000\nnr_periods 1\nnr_throttled 1\nthrottled_usec "
        "500000\n");
  write("g/web/memory.stat", "anon 4096\nfile 8192\nfile_mapped 2048\nunevictable 5\n");
  write("g/web/memory.current", "16384\n");
  write("g/web/memory.max", "max\n");
  write("g/web/memory.swap.current", "0\n");
  write("g/web/cgroup.procs", "12\n");
  write("g/web/pids.current", "3\n");
  Usage usage;
  ASSERT_TRUE(readUsage(layout, "/g/web", usage));
  EXPECT_DOUBLE_EQ(*usage.cpusUserTimeSecs, 1.5);
  EXPECT_DOUBLE_EQ(*usage.cpusThrottledTimeSecs, 0.5);
  EXPECT_EQ(usage.memAnonBytes, 4096U);
  EXPECT_EQ(usage.memSwapBytes, 0U);
  EXPECT_FALSE(usage.memLimitBytes);
  EXPECT_EQ(usage.threads, 3U);
}

TEST_F(UsageFiles, OfAMissingGroupAreNotFound) {
  const kernel::CgroupLayout layout{{hierarchy("", {"cpu"}, "")}};
  Usage usage;
  EXPECT_EQ(readUsage(layout, "/g/web", usage).error().code(), Code::NotFound);
}

}  // namespace
}  // namespace gantry::isolators
