#include "runtime/cgroup_settings.hpp"

#include <gtest/gtest.h>

#include <fmt/format.h>

namespace gantry::runtime {
namespace {

CgroupFacts host(CgroupVersion version, bool hasSwap = true) {
  CgroupFacts facts;
  facts.versionOf = [version](std::string_view controller) -> Result<CgroupVersion> {
    if (controller == "rdma") return Error(Code::Unsupported, "no rdma here");
    if (controller == "cgroup") return CgroupVersion::V2;
    if (version == CgroupVersion::V2 && controller == "blkio") return Error(Code::Unsupported, "no blkio here");
    return version;
  };
  facts.current = [](std::string_view, const std::string& file) { return file == "cpu.max" ? "5000 100000" : ""; };
  facts.hasSwap = hasSwap;
  return facts;
}

// "file=value" of every setting, in order; "?" behind an optional one; or the error.
std::vector<std::string> translate(const oci::Resources& resources, const CgroupFacts& facts) {
  const auto all = translateResources(resources, facts);
  if (!all) return {all.error().message()};
  std::vector<std::string> lines;
  for (const ControllerSettings& controller : *all) {
    for (const CgroupSetting& one : controller.settings) {
      lines.push_back(fmt::format("{}={}{}", one.file, one.value, one.optional ? "?" : ""));
    }
  }
  return lines;
}
std::vector<std::string> onV1(const oci::Resources& resources) {
  return translate(resources, host(CgroupVersion::V1));
}
std::vector<std::string> onV2(const oci::Resources& resources) {
  return translate(resources, host(CgroupVersion::V2));
}
using Lines = std::vector<std::string>;

TEST(CgroupSettings, OfMemory) {
  oci::Resources resources;
  resources.memory = oci::Memory{.limit = 100, .reservation = 50, .swap = 150};
  EXPECT_EQ(onV1(resources),
            (Lines{"memory.limit_in_bytes=100", "memory.memsw.limit_in_bytes=150", "memory.soft_limit_in_bytes=50"}));
  EXPECT_EQ(onV2(resources), (Lines{"memory.swap.max=50", "memory.max=100", "memory.low=50"}));
  resources.memory = oci::Memory{.limit = -1};
  EXPECT_EQ(onV1(resources), (Lines{"memory.limit_in_bytes=-1", "memory.memsw.limit_in_bytes=-1?"}));
  EXPECT_EQ(onV2(resources), (Lines{"memory.swap.max=max?", "memory.max=max"}));
  resources.memory = oci::Memory{.limit = 100, .swap = 50};
  EXPECT_EQ(onV1(resources)[0].find("linux.resources.memory.swap: "), 0U);
  EXPECT_EQ(onV2(resources)[0].find("linux.resources.memory.swap: "), 0U);
  resources.memory = oci::Memory{.swap = 50};
  EXPECT_EQ(onV2(resources)[0], "linux.resources.memory.swap: is memory and swap together and needs memory.limit");
}

TEST(CgroupSettings, NeedNoSwapLimitWhereTheKernelCannotSwap) {
  oci::Resources resources;
  resources.memory = oci::Memory{.limit = 100, .swap = 100};
  EXPECT_EQ(translate(resources, host(CgroupVersion::V1, false)),
            (Lines{"memory.limit_in_bytes=100", "memory.memsw.limit_in_bytes=100?"}));
  EXPECT_EQ(translate(resources, host(CgroupVersion::V2, false)), (Lines{"memory.swap.max=0?", "memory.max=100"}));
}

TEST(CgroupSettings, RefuseByNameWhatV2DoesNotHave) {
  oci::Resources resources;
  resources.memory = oci::Memory{.swappiness = 60};
  EXPECT_EQ(onV1(resources), Lines{"memory.swappiness=60"});
  EXPECT_EQ(onV2(resources)[0], "linux.resources.memory.swappiness: cgroup v2 has no swappiness per group");
  resources.memory = oci::Memory{.disableOomKiller = true};
  EXPECT_EQ(onV1(resources), Lines{"memory.oom_control=1"});
  EXPECT_EQ(onV2(resources)[0].find("linux.resources.memory.disableOOMKiller: "), 0U);
  resources.memory.reset();
  resources.cpu = oci::Cpu{.realtimeRuntime = 1000};
  EXPECT_EQ(onV1(resources), Lines{"cpu.rt_runtime_us=1000"});
  EXPECT_EQ(onV2(resources)[0].find("linux.resources.cpu.realtimeRuntime: "), 0U);
}

TEST(CgroupSettings, LeaveOutTheZerosThatEnginesWrite) {
  oci::Resources resources;
  resources.memory = oci::Memory{.limit = 0, .swap = 0};
  resources.cpu = oci::Cpu{.shares = 0, .quota = 0, .period = 0, .realtimeRuntime = 0};
  resources.blockIo = oci::BlockIo{.weight = 0};
  resources.pidsLimit = 0;
  EXPECT_EQ(onV1(resources), Lines{});
  EXPECT_EQ(onV2(resources), Lines{});
  CgroupFacts bare = host(CgroupVersion::V2);
  bare.versionOf = [](std::string_view) -> Result<CgroupVersion> { return Error(Code::Unsupported, "nothing here"); };
  EXPECT_EQ(translate(resources, bare), Lines{});
  resources.memory = oci::Memory{.limit = 4096};
  EXPECT_EQ(translate(resources, bare), Lines{"linux.resources.memory: nothing here"});
}

TEST(CgroupSettings, OfCpu) {
  oci::Resources resources;
  resources.cpu = oci::Cpu{.shares = 1024, .quota = 20000, .burst = 10000, .period = 50000};
  resources.cpu->cpus = "0-1";
  resources.cpu->mems = "0";
  EXPECT_EQ(onV1(resources), (Lines{"cpuset.cpus=0-1", "cpuset.mems=0", "cpu.shares=1024", "cpu.cfs_period_us=50000",
                                    "cpu.cfs_quota_us=20000", "cpu.cfs_burst_us=10000"}));
  EXPECT_EQ(onV2(resources), (Lines{"cpuset.cpus=0-1", "cpuset.mems=0", "cpu.weight=100", "cpu.max=20000 50000",
                                    "cpu.max.burst=10000"}));
  resources.cpu = oci::Cpu{.period = 50000};
  EXPECT_EQ(onV2(resources), Lines{"cpu.max=5000 50000"});
  resources.cpu = oci::Cpu{.quota = -1};
  EXPECT_EQ(onV2(resources), Lines{"cpu.max=max"});
  resources.cpu = oci::Cpu{.idle = 1};
  EXPECT_EQ(onV1(resources), Lines{"cpu.idle=1"});
  resources.cpu = oci::Cpu{.shares = 300000};
  EXPECT_EQ(onV1(resources), Lines{"linux.resources.cpu.shares: must be 2 to 262144"});
}

TEST(CgroupSettings, MeetTheKernelsDefaultsWhenSharesBecomeAWeight) {
  EXPECT_EQ(weightFromShares(2), 1U);
  EXPECT_EQ(weightFromShares(1024), 100U);
  EXPECT_EQ(weightFromShares(262144), 10000U);
  unsigned before = 0;
  for (unsigned long long shares = 2; shares <= 262144; shares += 1000) {
    EXPECT_GE(weightFromShares(shares), before);
    before = weightFromShares(shares);
  }
}

TEST(CgroupSettings, OfBlockIo) {
  oci::Resources resources;
  resources.blockIo = oci::BlockIo{.weight = 100};
  resources.blockIo->throttleReadBpsDevice = {{8, 0, 1000}};
  resources.blockIo->throttleWriteIopsDevice = {{8, 0, 0}};
  EXPECT_EQ(onV1(resources), (Lines{"blkio.weight=100", "blkio.throttle.read_bps_device=8:0 1000",
                                    "blkio.throttle.write_iops_device=8:0 0"}));
  EXPECT_EQ(onV2(resources), (Lines{"io.weight=910", "io.max=8:0 rbps=1000", "io.max=8:0 wiops=max"}));
  resources.blockIo = oci::BlockIo{.weight = 5};
  EXPECT_EQ(onV2(resources), Lines{"linux.resources.blockIO.weight: must be 10 to 1000"});
}

TEST(CgroupSettings, OfPidsAndHugepages) {
  oci::Resources resources;
  resources.pidsLimit = -1;
  resources.hugepageLimits = {{"2MB", 4194304}};
  EXPECT_EQ(onV1(resources),
            (Lines{"pids.max=max", "hugetlb.2MB.limit_in_bytes=4194304", "hugetlb.2MB.rsvd.limit_in_bytes=4194304?"}));
  resources.hugepageLimits = {{"../../2MB", 1}};
  EXPECT_EQ(onV1(resources)[0], "linux.resources.hugepageLimits[0].pageSize: '../../2MB' is not a size such as 2MB");
}

TEST(CgroupSettings, OfUnifiedFiles) {
  oci::Resources resources;
  resources.unified = {{"memory.high", "1000"}, {"io.max", "8:0 rbps=1\n8:16 rbps=2"}, {"cgroup.max.depth", "3"}};
  EXPECT_EQ(onV2(resources),
            (Lines{"cgroup.max.depth=3", "io.max=8:0 rbps=1", "io.max=8:16 rbps=2", "memory.high=1000"}));
  resources.unified = {{"memory.high", "1000"}};
  EXPECT_EQ(onV1(resources)[0],
            "linux.resources.unified[memory.high]: the memory controller is in a cgroup v1 hierarchy");
  for (const char* file : {"../memory.high", "cgroup.procs", "cgroup.kill", "memory", ""}) {
    resources.unified = {{file, "1"}};
    EXPECT_EQ(onV2(resources)[0].find(fmt::format("linux.resources.unified[{}]: ", file)), 0U) << file;
  }
}

TEST(CgroupSettings, RefuseAControllerThatIsMissing) {
  oci::Resources resources;
  resources.rdma["mlx5_1"].hcaHandles = 3;
  EXPECT_EQ(onV2(resources), Lines{"linux.resources.rdma: no rdma here"});
}

}  // namespace
}  // namespace gantry::runtime
