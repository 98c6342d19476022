#include "runtime/state_store.hpp"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "kernel/file.hpp"
#include "runtime/steps.hpp"

namespace gantry::runtime {
namespace {

namespace fs = std::filesystem;

ContainerRecord someRecord() {
  ContainerRecord record;
  record.id = "web";
  record.bundle = "/b";
  record.rootfs = "/b/rootfs";
  record.init = {4711, 99};
  record.created = "2026-01-02T03:04:05Z";
  record.annotations = {{"k", "v"}};
  record.cgroups = {{"memory", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory/web"}, {"", "/sys/fs/cgroup", "/x"}};
  record.hasLateHooks = true;
  return record;
}

class Store : public ::testing::Test {
 protected:
  ~Store() override { fs::remove_all(top_); }

  static fs::path makeTop() {
    char path[] = "/tmp/gantry-store-XXXXXX";
    return ::mkdtemp(path);
  }

  fs::path top_ = makeTop();
  // Made with the first container.
  StateStore store_{(top_ / "deep/root").string()};
};

TEST_F(Store, KeepsAContainerUntilItIsRemoved) {
  EXPECT_TRUE(store_.list()->empty());
  {
    const auto made = store_.create("web");
    ASSERT_TRUE(made) << made.error().message();
    ASSERT_TRUE(made->save(someRecord()));
    EXPECT_EQ(store_.create("web").error().code(), Code::AlreadyExists);
  }
  EXPECT_EQ(*store_.list(), std::vector<std::string>{"web"});
  const auto opened = store_.open("web");
  ASSERT_TRUE(opened);
  EXPECT_EQ(*opened->load(), someRecord());
  ASSERT_TRUE(opened->remove());
  EXPECT_EQ(store_.open("web").error().message(), "container does not exist: 'web'");
}

TEST_F(Store, TellsADamagedStateFile) {
  const auto made = store_.create("web");
  ASSERT_TRUE(made);
  std::ofstream(fs::path(made->path()) / "state.json") << R"({"id": "web", "bundle)";
  const auto record = made->load();
  ASSERT_FALSE(record);
  EXPECT_NE(record.error().message().find("web/state.json' is damaged: is not JSON"), std::string::npos)
      << record.error().message();
  std::ofstream(fs::path(made->path()) / "state.json") << R"({"id": "web", "bundle": "/", "rootfs": "/", "pid": "x"})";
  EXPECT_NE(made->load().error().message().find("pid: is a string, not an integer"), std::string::npos);
}

TEST_F(Store, KnowsStatesFromTheProcess) {
  const auto made = store_.create("web");
  ASSERT_TRUE(made);
  ContainerRecord record = someRecord();
  record.cgroups.clear();
  record.init = {};
  EXPECT_EQ(*made->status(record), Status::Creating);
  record.init = {::getpid(), 1};
  EXPECT_EQ(*made->status(record), Status::Stopped) << "another process with that pid";
  record.init = *kernel::identify(::getpid());
  EXPECT_EQ(*made->status(record), Status::Running);
  std::ofstream(fs::path(made->path()) / kStartSocket) << "";
  EXPECT_EQ(*made->status(record), Status::Created);
}

TEST(ContainerIds, AreRuncs) {
  for (const char* good : {"web", "a.b", "A_1+x-y", "..."}) EXPECT_TRUE(checkId(good)) << good;
  for (const char* bad : {"", ".", "..", "a/b", "../x", "a b", "a\n", "\xc3\xa4"}) EXPECT_FALSE(checkId(bad)) << bad;
}

TEST_F(Store, ListsEveryIdThereCanBeAndNoCache) {
  ASSERT_TRUE(store_.create(".hidden"));
  ASSERT_TRUE(fs::create_directory(store_.seccompCache()));
  EXPECT_EQ(*store_.list(), std::vector<std::string>{".hidden"});
  EXPECT_FALSE(checkId(fs::path(store_.seccompCache()).filename()));
}

// While `delete` waits for the lock the container may end and another one of the same id begin.
TEST_F(Store, OpensTheContainerThatHasTheIdOnceTheLockIsFree) {
  std::optional<ContainerDirectory> first;
  {
    auto made = store_.create("web");
    ASSERT_TRUE(made);
    first.emplace(*std::move(made));
  }
  std::string found;
  std::thread waiting([&] {
    const auto opened = store_.open("web");
    if (opened) found = kernel::readFileAt(opened->fd(), "config.json").value_or("");
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  ASSERT_TRUE(first->remove());
  {
    const auto second = store_.create("web");
    ASSERT_TRUE(second);
    ASSERT_TRUE(second->saveSpec("second"));
  }
  first.reset();
  waiting.join();
  EXPECT_EQ(found, "second");
}

// A caller's empty directory may be deleted and made anew by another one before the first has locked it.
TEST_F(Store, GivesANewContainerToOneCallerOnly) {
  std::atomic<int> taken = 0;
  const auto over = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
  const auto create = [&] {
    while (std::chrono::steady_clock::now() < over) {
      auto made = store_.create("web");
      if (made && !made->saveSpec("{}")) ++taken;
    }
  };
  const auto removeAbandoned = [&] {
    while (std::chrono::steady_clock::now() < over) {
      auto opened = store_.open("web");
      if (opened) ignore(opened->remove(), "the next round finds what is left");
    }
  };
  {
    std::vector<std::jthread> callers;
    for (int count = 0; count < 8; ++count) callers.emplace_back(create);
    for (int count = 0; count < 4; ++count) callers.emplace_back(removeAbandoned);
  }
  EXPECT_EQ(taken, 0);
}

TEST(Steps, CarryErrorsBetweenProcesses) {
  const auto pair = kernel::socketPair(SOCK_SEQPACKET);
  ASSERT_TRUE(pair);
  Message failed;
  failed.kind = Message::Kind::Failed;
  failed.step = Step::Mounts;
  failed.code = Code::NotFound;
  failed.number = ENOENT;
  failed.text = "mounts[0] '/x': gone";
  ASSERT_TRUE(send(pair->first, failed));
  const auto received = receive(pair->second);
  ASSERT_TRUE(received);
  EXPECT_EQ(toError(*received).message(), "mount: mounts[0] '/x': gone");
  EXPECT_EQ(toError(*received).code(), Code::NotFound);
  const_cast<kernel::Fd&>(pair->first).reset();
  EXPECT_EQ(receive(pair->second)->kind, Message::Kind::End);
}

}  // namespace
}  // namespace gantry::runtime
