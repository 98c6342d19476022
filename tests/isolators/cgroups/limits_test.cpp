#include "isolators/cgroups/limits.hpp"

#include <gtest/gtest.h>
#include <cmath>

namespace gantry::isolators {
namespace {

constexpr double kInfinity = Resources::kInfinity;
constexpr Bytes kNoCeiling{UINT64_MAX};

CgroupHost v1Host() {
  CgroupHost host;
  for (const char* controller : {"cpu", "memory", "pids", "devices"}) {
    host.layout.hierarchies.push_back({controller, {controller}, std::string("/sys/fs/cgroup/") + controller, ""});
  }
  host.memory = Bytes::gibi(8);
  return host;
}

CgroupHost v2Host() {
  CgroupHost host;
  host.layout.hierarchies.push_back({"", {"cpu", "memory", "pids"}, "/sys/fs/cgroup", ""});
  host.memory = Bytes::gibi(8);
  return host;
}

ContainerRequest asking(const Resources& resources) {
  ContainerRequest request(*ContainerId::root("web"));
  request.resources = resources;
  return request;
}

std::string refusalOf(const Resources& resources, const CgroupHost& host) {
  const auto checked = checkLimits(resources, host);
  return checked ? "" : checked.error().message();
}

TEST(Limits, AreThoseOfMesosOnV1) {
  const auto limits = limitsFor(asking({.cpus = 0.5, .cpusLimit = 2.0, .memory = Bytes::mebi(64)}), v1Host(), {});
  EXPECT_EQ(limits.cpu->shares, 512U);
  EXPECT_EQ(limits.cpu->period, 100000U);
  EXPECT_EQ(limits.cpu->quota, 200000);
  EXPECT_EQ(limits.memory->limit, 64 << 20);
  EXPECT_EQ(limits.memory->swap, 64 << 20);
  EXPECT_FALSE(limits.memory->reservation);
  EXPECT_EQ(limits.pidsLimit, 4096);
  EXPECT_TRUE(limits.unified.empty());
}

TEST(Limits, SayTheSameOnV2) {
  const auto limits = limitsFor(asking({.cpus = 0.5, .cpusLimit = 2.0, .memory = Bytes::mebi(64)}), v2Host(), {});
  EXPECT_FALSE(limits.cpu->shares);
  EXPECT_EQ(limits.unified.at("cpu.weight"), "50");
  EXPECT_EQ(limits.cpu->quota, 200000);
  EXPECT_EQ(limits.memory->limit, 64 << 20);
  EXPECT_EQ(limits.memory->swap, 64 << 20);
  EXPECT_EQ(limits.memory->reservation, 64 << 20);
  EXPECT_EQ(limits.unified.at("memory.oom.group"), "1");
}

TEST(Limits, KeepSmallSharesAboveTheKernelsLeast) {
  EXPECT_EQ(limitsFor(asking({.cpus = 0.0001}), v1Host(), {}).cpu->shares, 2U);
  EXPECT_EQ(limitsFor(asking({.cpus = 0.0001}), v2Host(), {}).unified.at("cpu.weight"), "1");
  EXPECT_EQ(limitsFor(asking({.cpus = 1000}), v1Host(), {}).cpu->shares, 262144U);
  EXPECT_EQ(limitsFor(asking({.cpus = 0.001, .cpusLimit = 0.001}), v1Host(), {}).cpu->quota, 1000);
}

TEST(Limits, CapCpusOnlyWhenAskedTo) {
  EXPECT_FALSE(limitsFor(asking({.cpus = 1}), v1Host(), {}).cpu->quota);
  EXPECT_FALSE(limitsFor(asking({.cpus = 1, .cpusLimit = kInfinity}), v1Host(), {.capCpus = true}).cpu->quota);
  EXPECT_EQ(limitsFor(asking({.cpus = 1}), v1Host(), {.capCpus = true}).cpu->quota, 100000);
}

TEST(Limits, LetAContainerBurstAboveItsRequest) {
  const Resources burst{.memory = Bytes::mebi(64), .memoryLimit = Bytes::mebi(128)};
  const auto limits = limitsFor(asking(burst), v1Host(), {});
  EXPECT_EQ(limits.memory->limit, 128 << 20);
  EXPECT_EQ(limits.memory->reservation, 64 << 20);
  const Resources open{.memory = Bytes::mebi(64), .memoryLimit = kNoCeiling};
  EXPECT_FALSE(limitsFor(asking(open), v1Host(), {}).memory->limit);
  EXPECT_EQ(oomScoreFor(burst, Bytes::gibi(8)), 992);
  EXPECT_EQ(oomScoreFor({.memory = Bytes::gibi(8), .memoryLimit = kNoCeiling}, Bytes::gibi(8)), 3);
  EXPECT_FALSE(oomScoreFor({.memory = Bytes::mebi(64)}, Bytes::gibi(8)));
}

TEST(Limits, LeaveSwapAloneWhereTheKernelCannotLimitIt) {
  auto host = v1Host();
  host.limitsSwap = false;
  EXPECT_FALSE(limitsFor(asking({.memory = Bytes::mebi(64)}), host, {}).memory->swap);
}

TEST(Limits, AllowDockersDevicesAndAllToThePrivileged) {
  auto request = asking({});
  EXPECT_FALSE(limitsFor(request, v1Host(), {}).devices.at(0).allow);
  EXPECT_GT(limitsFor(request, v1Host(), {}).devices.size(), 10U);
  request.security.privileged = true;
  EXPECT_EQ(limitsFor(request, v1Host(), {}).devices, (std::vector<oci::DeviceRule>{{true, "a", {}, {}, "rwm"}}));
}

TEST(LimitsCheck, NamesTheFieldAndTheReason) {
  const auto host = v1Host();
  EXPECT_EQ(refusalOf({.cpus = 0.0}, host), "resources[cpus]: must be > 0");
  EXPECT_EQ(refusalOf({.cpus = -1.0}, host), "resources[cpus]: must be > 0");
  EXPECT_EQ(refusalOf({.cpus = std::nan("")}, host), "resources[cpus]: must be > 0");
  EXPECT_EQ(refusalOf({.cpus = 2.0, .cpusLimit = 1.0}, host), "limits[cpus]: 1 is below the request of 2");
  EXPECT_EQ(refusalOf({.memory = Bytes::kibi(64)}, host), "resources[mem]: must be at least 4MiB");
  EXPECT_EQ(refusalOf({.memory = Bytes::mebi(64), .memoryLimit = Bytes::mebi(32)}, host),
            "limits[mem]: 32MiB is below the request of 64MiB");
  EXPECT_EQ(refusalOf({.memory = Bytes{UINT64_MAX}}, host), "resources[mem]: is more than the kernel can count");
  EXPECT_EQ(refusalOf({.pids = 0}, host), "resources[pids]: must be 1 to 4194304");
  EXPECT_EQ(refusalOf({.disk = Bytes::mebi(1)}, host).substr(0, 17), "resources[disk]: ");
  EXPECT_EQ(refusalOf({.disk = Bytes{0}}, host), "");
  EXPECT_EQ(
      refusalOf({.cpus = 1.0, .cpusLimit = kInfinity, .memory = Bytes::mebi(64), .memoryLimit = kNoCeiling}, host), "");
}

TEST(LimitsCheck, RefusesWhatTheHostCannotEnforce) {
  CgroupHost bare;
  EXPECT_EQ(refusalOf({.cpus = 1}, bare), "resources[cpus]: this host has no cpu controller");
  EXPECT_EQ(refusalOf({.memory = Bytes::mebi(64)}, bare), "resources[mem]: this host has no memory controller");
  EXPECT_EQ(refusalOf({.pids = 10}, bare), "resources[pids]: this host has no pids controller");
  EXPECT_EQ(checkLimits({.pids = 10}, bare).error().code(), Code::Unsupported);
  EXPECT_EQ(refusalOf({}, bare), "");
  EXPECT_FALSE(limitsFor(asking({}), bare, {}).pidsLimit);
  auto noQuota = v1Host();
  noQuota.hasCpuQuota = false;
  EXPECT_EQ(refusalOf({.cpus = 1, .cpusLimit = 1}, noQuota).substr(0, 14), "limits[cpus]: ");
}

}  // namespace
}  // namespace gantry::isolators
