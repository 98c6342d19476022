// Cgroup against this machine's kernel, as root.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>
#include <cstring>

#include <atomic>
#include <functional>
#include <thread>

#include "base/scope_exit.hpp"
#include "kernel/file.hpp"
#include "runtime/cgroup.hpp"
#include "runtime/device_program.hpp"

namespace gantry::runtime {
namespace {

class CgroupKernel : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    const auto layout = kernel::CgroupLayout::detect();
    ASSERT_TRUE(layout);
    layout_ = *layout;
  }
  void TearDown() override {
    for (const pid_t child : children_) ::waitpid(child, nullptr, 0);
    for (const kernel::CgroupHierarchy& hierarchy : layout_.hierarchies) {
      EXPECT_FALSE(kernel::exists(hierarchy.mountPoint + path_)) << hierarchy.mountPoint;
      ::rmdir((hierarchy.mountPoint + root_).c_str());
    }
  }

  Result<Cgroup> create(const oci::Resources& resources) { return Cgroup::create(layout_, path_, "id", resources); }

  // A child born in the groups; `body` says its exit status.
  pid_t start(const Cgroup& cgroup, const std::function<int()>& body, pid_t init = 0) {
    const auto join = cgroup.join(init);
    EXPECT_TRUE(join) << join.error().message();
    clone_args arguments{};
    arguments.exit_signal = SIGCHLD;
    if (join->intoCgroup()) {
      arguments.flags = CLONE_INTO_CGROUP;
      arguments.cgroup = static_cast<std::uint64_t>(join->intoCgroup().raw());
    }
    const long child = ::syscall(SYS_clone3, &arguments, sizeof arguments);
    EXPECT_GE(child, 0) << std::strerror(errno);
    if (child == 0) {
      if (join->enter() != 0) ::_exit(121);
      ::_exit(body());
    }
    children_.push_back(static_cast<pid_t>(child));
    return static_cast<pid_t>(child);
  }

  int statusOf(pid_t child) {
    int status = -1;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    std::erase(children_, child);
    return status;
  }

  // The text of a file of the group that has `controller`.
  std::string read(const Cgroup& cgroup, std::string_view hierarchy, const std::string& file) {
    for (const CgroupGroup& group : cgroup.state()) {
      if (group.hierarchy != hierarchy) continue;
      auto text = kernel::readFile(group.directory + "/" + file).value_or("");
      if (!text.empty() && text.back() == '\n') text.pop_back();
      return text;
    }
    return "no such hierarchy";
  }

  static int sleepForever() {
    while (true) ::pause();
  }

  kernel::CgroupLayout layout_;
  // Each process its own: others remove theirs meanwhile.
  std::string root_ = "/gantry-cg-test-" + std::to_string(::getpid());
  std::string path_ = root_ + "/group";
  std::vector<pid_t> children_;
};

TEST_F(CgroupKernel, AChildIsInEveryHierarchyFromTheStart) {
  const auto cgroup = create({});
  ASSERT_TRUE(cgroup) << cgroup.error().message();
  EXPECT_EQ(cgroup->state().size(), layout_.hierarchies.size());
  const pid_t child = start(*cgroup, sleepForever);
  EXPECT_EQ(*cgroup->pids(), std::vector<pid_t>{child});
  // The v1 groups are entered by the child itself, soon after.
  for (int tries = 0; tries < 1000; ++tries) {
    const std::string groups = *kernel::readFile("/proc/" + std::to_string(child) + "/cgroup");
    std::size_t count = 0;
    for (auto at = groups.find(path_); at != std::string::npos; at = groups.find(path_, at + 1)) ++count;
    if (count == layout_.hierarchies.size()) break;
    ASSERT_LT(tries, 999) << groups;
    ::usleep(1000);
  }
  EXPECT_EQ(Cgroup::create(layout_, path_, "id", {}).error().code(), Code::Busy);
  EXPECT_TRUE(Cgroup(cgroup->state()).kill());
  EXPECT_EQ(statusOf(child), SIGKILL);
  EXPECT_TRUE(cgroup->remove());
  EXPECT_TRUE(cgroup->remove());
}

TEST_F(CgroupKernel, IsMadeWhileOthersRemoveItsEmptyParent) {
  std::atomic<bool> over = false;
  {
    const std::jthread remover([&] {
      while (!over) {
        for (const auto& hierarchy : layout_.hierarchies) ::rmdir((hierarchy.mountPoint + root_).c_str());
      }
    });
    const ScopeExit end([&] { over = true; });
    for (int round = 0; round < 50; ++round) {
      const auto cgroup = create({});
      ASSERT_TRUE(cgroup) << cgroup.error().message();
      ASSERT_TRUE(cgroup->remove());
    }
  }
}

TEST_F(CgroupKernel, IsNotMadeWhereItsProcessesWouldFreeze) {
  const auto parent = Cgroup::create(layout_, root_, "id", {});
  ASSERT_TRUE(parent);
  ASSERT_TRUE(parent->freeze());
  if (layout_.mode() != kernel::CgroupMode::V2) {
    EXPECT_EQ(create({}).error().code(), Code::Busy);
  }
  EXPECT_EQ(Cgroup::create(layout_, root_, "id", {}).error().code(), Code::Busy);
  ASSERT_TRUE(parent->thaw());
  EXPECT_TRUE(parent->remove());
}

TEST_F(CgroupKernel, FreezesKillsAndWaitsForTheLast) {
  const auto cgroup = create({});
  ASSERT_TRUE(cgroup);
  const pid_t child = start(*cgroup, sleepForever);
  EXPECT_FALSE(*cgroup->isFrozen());
  ASSERT_TRUE(cgroup->freeze());
  EXPECT_TRUE(*cgroup->isFrozen());
  EXPECT_EQ(cgroup->remove(std::chrono::milliseconds(20)).error().code(), Code::Busy);
  EXPECT_TRUE(cgroup->kill());
  EXPECT_TRUE(cgroup->remove());
  EXPECT_EQ(statusOf(child), SIGKILL);
}

TEST_F(CgroupKernel, SignalsEveryProcess) {
  const auto cgroup = create({});
  ASSERT_TRUE(cgroup);
  const pid_t one = start(*cgroup, sleepForever);
  const pid_t two = start(*cgroup, sleepForever, one);
  EXPECT_TRUE(cgroup->signal(SIGTERM));
  EXPECT_EQ(statusOf(one), SIGTERM);
  EXPECT_EQ(statusOf(two), SIGTERM);
  EXPECT_TRUE(cgroup->remove());
}

TEST_F(CgroupKernel, RefusesDevicesThatNoRuleAllows) {
  oci::Resources resources;
  resources.devices = {{false, "a", {}, {}, "rwm"}, {true, "c", 1, 8, "r"}, {false, "c", 1, 9, "w"}};
  const auto cgroup = create({});
  ASSERT_TRUE(cgroup) << cgroup.error().message();
  const auto opens = [](const char* path, int flags) { return ::open(path, flags | O_CLOEXEC) >= 0; };
  const auto body = [&] {
    if (!opens("/dev/null", O_RDWR) || !opens("/dev/urandom", O_RDONLY)) return 1;
    if (opens("/dev/kmsg", O_RDONLY) || errno != EPERM) return 2;
    const std::string node = testing::TempDir() + "/gantry-node-" + std::to_string(::getpid());
    if (::mknod(node.c_str(), S_IFCHR | 0600, ::makedev(1, 11)) != 0) return 3;
    const bool opened = opens(node.c_str(), O_RDONLY);
    ::unlink(node.c_str());
    return opened ? 4 : 0;
  };
  EXPECT_EQ(statusOf(start(*cgroup, body)), 0);
  resources.devices = {{true, "c", 1, 11, "r"}};
  EXPECT_TRUE(cgroup->update(resources));
  EXPECT_EQ(statusOf(start(*cgroup, [&] { return opens("/dev/kmsg", O_RDONLY) ? 0 : 1; })), 0);
  EXPECT_EQ(statusOf(start(*cgroup, [&] { return opens("/dev/kmsg", O_WRONLY) ? 1 : 0; })), 0);
  resources.devices = {{true, "a", {}, {}, "rwm"}};
  EXPECT_TRUE(cgroup->update(resources));
  EXPECT_EQ(statusOf(start(*cgroup, [&] { return opens("/dev/kmsg", O_WRONLY) ? 0 : 1; })), 0);
  resources.devices = {{false, "a", {}, {}, "rwm"}};
  EXPECT_TRUE(cgroup->update(resources));
  EXPECT_EQ(statusOf(start(*cgroup, body)), 0);
  EXPECT_TRUE(cgroup->remove());
}

// The same on cgroup v2, whichever controller the host uses otherwise.
TEST_F(CgroupKernel, AsksAProgramForDevicesOnV2) {
  const kernel::CgroupHierarchy* const unified = layout_.unified();
  if (unified == nullptr) GTEST_SKIP() << "needs a cgroup v2 hierarchy";
  const std::string directory = unified->mountPoint + path_;
  const Cgroup cgroup({{"", unified->mountPoint, directory}});
  ASSERT_TRUE(kernel::makeDirectories(directory, 0755));
  oci::Resources resources;
  resources.devices = {{false, "a", {}, {}, "rwm"}, {true, "c", 1, 11, "r"}};
  const auto opens = [](const char* path, int flags) { return ::open(path, flags | O_CLOEXEC) >= 0; };
  for (int round = 0; round < 2; ++round) {
    const auto updated = cgroup.update(resources);
    ASSERT_TRUE(updated) << updated.error().message();
    EXPECT_EQ(statusOf(start(cgroup, [&] { return opens("/dev/kmsg", O_RDONLY) ? 0 : 1; })), 0);
    EXPECT_EQ(statusOf(start(cgroup, [&] { return opens("/dev/kmsg", O_WRONLY) ? 1 : 0; })), 0);
    EXPECT_EQ(statusOf(start(cgroup, [&] { return opens("/dev/null", O_RDWR) ? 0 : 1; })), 0);
    EXPECT_EQ(statusOf(start(cgroup, [&] { return opens("/dev/loop-control", O_RDWR) ? 1 : 0; })), 0);
  }
  resources.devices = {{true, "a", {}, {}, "rwm"}, {false, "c", 1, 11, "w"}};
  ASSERT_TRUE(cgroup.update(resources));
  EXPECT_EQ(statusOf(start(cgroup, [&] { return opens("/dev/kmsg", O_RDONLY) ? 0 : 1; })), 0);
  EXPECT_EQ(statusOf(start(cgroup, [&] { return opens("/dev/kmsg", O_RDWR) ? 1 : 0; })), 0);
  resources.devices = {{true, "a", {}, {}, "rwm"}};
  ASSERT_TRUE(cgroup.update(resources));
  EXPECT_EQ(statusOf(start(cgroup, [&] { return opens("/dev/kmsg", O_RDWR) ? 0 : 1; })), 0);
  EXPECT_TRUE(cgroup.remove());
}

TEST_F(CgroupKernel, HoldsTheLimits) {
  if (layout_.mode() == kernel::CgroupMode::V2) GTEST_SKIP() << "needs v1 controllers";
  oci::Resources resources;
  resources.memory = oci::Memory{.limit = 64 << 20, .swap = 64 << 20};
  resources.cpu = oci::Cpu{.shares = 512, .quota = 20000, .period = 50000};
  resources.cpu->cpus = "0";
  resources.pidsLimit = 7;
  const auto cgroup = create(resources);
  ASSERT_TRUE(cgroup) << cgroup.error().message();
  EXPECT_EQ(read(*cgroup, "memory", "memory.limit_in_bytes"), "67108864");
  EXPECT_EQ(read(*cgroup, "memory", "memory.memsw.limit_in_bytes"), "67108864");
  EXPECT_EQ(read(*cgroup, "cpu", "cpu.shares"), "512");
  EXPECT_EQ(read(*cgroup, "cpu", "cpu.cfs_quota_us"), "20000");
  EXPECT_EQ(read(*cgroup, "cpu", "cpu.cfs_period_us"), "50000");
  EXPECT_EQ(read(*cgroup, "cpuset", "cpuset.cpus"), "0");
  EXPECT_EQ(read(*cgroup, "pids", "pids.max"), "7");

  oci::Resources larger;
  larger.memory = oci::Memory{.limit = 128 << 20, .swap = 256 << 20};
  auto updated = cgroup->update(larger);
  EXPECT_TRUE(updated) << updated.error().message();
  EXPECT_EQ(read(*cgroup, "memory", "memory.memsw.limit_in_bytes"), "268435456");
  EXPECT_TRUE(cgroup->update(resources));
  EXPECT_EQ(read(*cgroup, "memory", "memory.memsw.limit_in_bytes"), "67108864");
  oci::Resources none;
  none.memory = oci::Memory{.limit = -1};
  EXPECT_TRUE(cgroup->update(none));
  EXPECT_TRUE(cgroup->remove());
}

TEST_F(CgroupKernel, HoldsTheLimitsOnV2) {
  if (layout_.mode() != kernel::CgroupMode::V2) GTEST_SKIP() << "needs v2 controllers";
  oci::Resources resources;
  resources.memory = oci::Memory{.limit = 64 << 20, .reservation = 16 << 20, .swap = 64 << 20};
  resources.cpu = oci::Cpu{.shares = 1024, .quota = 20000, .period = 50000};
  resources.pidsLimit = 7;
  resources.unified = {{"memory.oom.group", "1"}};
  const auto cgroup = create(resources);
  ASSERT_TRUE(cgroup) << cgroup.error().message();
  EXPECT_EQ(read(*cgroup, "", "memory.max"), "67108864");
  EXPECT_EQ(read(*cgroup, "", "memory.low"), "16777216");
  EXPECT_EQ(read(*cgroup, "", "memory.oom.group"), "1");
  EXPECT_EQ(read(*cgroup, "", "cpu.weight"), "100");
  EXPECT_EQ(read(*cgroup, "", "cpu.max"), "20000 50000");
  EXPECT_EQ(read(*cgroup, "", "pids.max"), "7");

  oci::Resources period;
  period.cpu = oci::Cpu{.period = 100000};
  EXPECT_TRUE(cgroup->update(period));
  EXPECT_EQ(read(*cgroup, "", "cpu.max"), "20000 100000");
  EXPECT_TRUE(cgroup->remove());
}

TEST_F(CgroupKernel, LeavesNothingWhenALimitIsRefused) {
  oci::Resources resources;
  resources.memory = oci::Memory{.kernel = 1 << 20};
  const auto kmem = create(resources);
  ASSERT_FALSE(kmem);
  EXPECT_EQ(kmem.error().code(), Code::Unsupported);
  EXPECT_EQ(kmem.error().message().find("linux.resources.memory.kernel: "), 0U) << kmem.error().message();
  resources.memory.reset();
  resources.cpu = oci::Cpu{.cpus = "4000"};
  const auto cpus = create(resources);
  ASSERT_FALSE(cpus);
  EXPECT_EQ(cpus.error().message().find("linux.resources.cpu.cpus: "), 0U) << cpus.error().message();
  resources.cpu.reset();
  resources.blockIo = oci::BlockIo{.weight = 500};
  const auto weight = create(resources);
  if (!weight) {
    EXPECT_EQ(weight.error().code(), Code::Unsupported);
    EXPECT_EQ(weight.error().message().find("linux.resources.blockIO.weight: "), 0U) << weight.error().message();
  } else {
    EXPECT_TRUE(weight->remove());
  }
}

TEST_F(CgroupKernel, RefusesAPathThatLeavesTheTree) {
  for (const char* path : {"/../x", "a/../../b", "/"}) {
    const auto cgroup = Cgroup::create(layout_, path, "id", {});
    ASSERT_FALSE(cgroup) << path;
    EXPECT_EQ(cgroup.error().message().find("linux.cgroupsPath: "), 0U);
  }
}

}  // namespace
}  // namespace gantry::runtime
