// The cgroups isolator against this machine's kernel, as root.
#include "isolators/cgroups/cgroups.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cstring>

#include <chrono>

#include "async/run.hpp"
#include "async/time.hpp"
#include "kernel/file.hpp"

namespace gantry::isolators {
namespace {

using namespace std::chrono_literals;

class CgroupsKernel : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    auto host = CgroupHost::detect();
    ASSERT_TRUE(host);
    layout_ = host->layout;
    settings_.root = "gantry-cg-isolator-" + std::to_string(::getpid());
    isolator_ = std::make_unique<CgroupsIsolator>(*host, settings_);
    auto container = std::make_shared<Container>(Container{ContainerRequest(*ContainerId::root("web"))});
    container->cgroupPath = "/" + settings_.root + "/web";
    container->request.resources.memory = Bytes::mebi(16);
    container_ = container;
  }
  void TearDown() override {
    for (const kernel::CgroupHierarchy& hierarchy : layout_.hierarchies) {
      ::rmdir((hierarchy.mountPoint + "/" + settings_.root).c_str());
      EXPECT_FALSE(kernel::exists(hierarchy.mountPoint + "/" + settings_.root));
    }
  }

  // Groups as a runtime would make them, with the memory limit.
  void makeGroups() {
    if (const auto* unified = layout_.unified(); unified != nullptr && unified->has("memory")) {
      ASSERT_TRUE(kernel::makeDirectories(unified->mountPoint + "/" + settings_.root, 0755));
      ASSERT_TRUE(kernel::writeExistingAt(kernel::workingDirectory(),
                                          unified->mountPoint + "/" + settings_.root + "/cgroup.subtree_control",
                                          "+memory +pids"));
    }
    for (const kernel::CgroupHierarchy& hierarchy : layout_.hierarchies) {
      ASSERT_TRUE(kernel::makeDirectories(hierarchy.mountPoint + container_->cgroupPath, 0755));
    }
    const auto* memory = layout_.find("memory");
    const std::string group = memory->mountPoint + container_->cgroupPath;
    const auto write = [&](const std::string& file) {
      return kernel::writeExistingAt(kernel::workingDirectory(), group + "/" + file, "16777216");
    };
    if (memory->isV2()) {
      ASSERT_TRUE(write("memory.max"));
      ignore(kernel::writeExistingAt(kernel::workingDirectory(), group + "/memory.swap.max", "0"),
             "a host without swap");
    } else {
      ASSERT_TRUE(write("memory.limit_in_bytes"));
      ignore(write("memory.memsw.limit_in_bytes"), "a host without swap");
    }
  }

  // A child in the groups that then uses `megabytes` and waits to be killed.
  pid_t start(std::size_t megabytes) {
    kernel::Pipe ready = *kernel::pipe();
    const pid_t child = ::fork();
    if (child == 0) {
      for (const kernel::CgroupHierarchy& hierarchy : layout_.hierarchies) {
        // A cpuset of v1 needs CPUs first.
        if (hierarchy.has("cpuset") && !hierarchy.isV2()) continue;
        const std::string file = hierarchy.mountPoint + container_->cgroupPath + "/cgroup.procs";
        if (!kernel::writeExistingAt(kernel::workingDirectory(), file, "0")) ::_exit(1);
      }
      ready.write.reset();
      for (std::size_t used = 0; used < megabytes; ++used) {
        void* const page = ::malloc(1 << 20);
        std::memset(page, 1, 1 << 20);
      }
      while (true) ::pause();
    }
    ready.write.reset();
    EXPECT_TRUE(kernel::readAll(ready.read));
    return child;
  }

  template <typename T>
  T run(async::Task<T> task) {
    async::Loop loop;
    return async::runUntilDone(loop, std::move(task));
  }

  kernel::CgroupLayout layout_;
  CgroupSettings settings_;
  std::unique_ptr<CgroupsIsolator> isolator_;
  ContainerPtr container_;
};

async::Task<Result<Limitation>> watched(CgroupsIsolator* isolator, ContainerPtr container) {
  co_return co_await isolator->watch(std::move(container));
}

async::Task<Result<Limitation>> watchedFor(CgroupsIsolator* isolator, ContainerPtr container, async::Duration limit) {
  auto watch = watched(isolator, std::move(container));
  co_return co_await async::withTimeout(limit, std::move(watch));
}

TEST_F(CgroupsKernel, TellsOfAnOutOfMemory) {
  makeGroups();
  const pid_t child = start(64);
  const auto limitation = run(watchedFor(isolator_.get(), container_, 20s));
  ASSERT_TRUE(limitation) << limitation.error().message();
  EXPECT_EQ(limitation->reason, "REASON_CONTAINER_LIMITATION_MEMORY");
  EXPECT_EQ(limitation->message, "Memory limit exceeded: Requested: 16MiB Limit: 16MiB Maximum Used: 16MiB");
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, SIGKILL);
  // Somebody who looks only now hears of it, too.
  EXPECT_TRUE(run(watchedFor(isolator_.get(), container_, 20s)));
  EXPECT_TRUE(run(isolator_->cleanup(container_)));
}

TEST_F(CgroupsKernel, IsSilentWhileThereIsEnough) {
  makeGroups();
  const pid_t child = start(2);
  const auto limitation = run(watchedFor(isolator_.get(), container_, 300ms));
  EXPECT_TRUE(!limitation || limitation->reason.empty());
  EXPECT_TRUE(run(isolator_->cleanup(container_)));
  ::waitpid(child, nullptr, 0);
}

TEST_F(CgroupsKernel, CleansUpWhatIsStillRunning) {
  makeGroups();
  ASSERT_TRUE(kernel::makeDirectories(layout_.hierarchies.back().mountPoint + container_->cgroupPath + "/below", 0755));
  const pid_t child = start(1);
  Usage usage;
  const auto read = isolator_->usage(*container_, usage);
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(usage.memLimitBytes, 16U << 20U);
  EXPECT_EQ(usage.memSoftLimitBytes, 16U << 20U);
  const auto cleaned = run(isolator_->cleanup(container_));
  EXPECT_TRUE(cleaned) << cleaned.error().message();
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, SIGKILL);
  EXPECT_TRUE(run(isolator_->cleanup(container_)));
}

TEST_F(CgroupsKernel, KeepsClearOfGroupsThatAreNotOurs) {
  EXPECT_TRUE(isolator_->check(container_->request));
  makeGroups();
  const auto refused = isolator_->check(container_->request);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::AlreadyExists);
  EXPECT_EQ(refused.error().message(), "container_id: cgroup '" + container_->cgroupPath +
                                           "' exists and is of no container of this agent; another id, or another "
                                           "--cgroups_root, keeps clear of it");
  EXPECT_TRUE(isolator_->leftovers().empty()) << "nobody is destroyed for a name";
  EXPECT_TRUE(run(isolator_->cleanup(container_)));
}

TEST_F(CgroupsKernel, PlansTheGroup) {
  EXPECT_EQ(isolator_->plan(*container_), (std::vector<KernelObject>{{"cgroup", container_->cgroupPath}}));
}

}  // namespace
}  // namespace gantry::isolators
