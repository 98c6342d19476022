#include "runtime/root_directory.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>

#include "kernel/file.hpp"

namespace gantry::runtime {
namespace {

namespace fs = std::filesystem;

// A directory "root" that plays the container's, beside a "canary" that must never change.
class Root : public ::testing::Test {
 protected:
  Root() {
    char path[] = "/tmp/gantry-root-XXXXXX";
    top_ = ::mkdtemp(path);
    fs::create_directories(top_ / "root");
    fs::create_directories(top_ / "canary");
    root_.emplace(*kernel::open((top_ / "root").string(), O_PATH | O_DIRECTORY));
  }
  ~Root() override {
    EXPECT_TRUE(fs::is_empty(top_ / "canary"));
    fs::remove_all(top_);
  }
  fs::path in(const std::string& path) const { return top_ / "root" / path; }

  fs::path top_;
  std::optional<RootDirectory> root_;
};

TEST_F(Root, MakesMissingDirectoriesAndFiles) {
  ASSERT_TRUE(root_->openOrMakeDirectory("/a/b/c"));
  EXPECT_TRUE(fs::is_directory(in("a/b/c")));
  ASSERT_TRUE(root_->openOrMakeFile("a/x/file"));
  EXPECT_TRUE(fs::is_regular_file(in("a/x/file")));
  ASSERT_TRUE(root_->openOrMakeFile("a/x/file")) << "the second time it is there";
}

TEST_F(Root, SharesWithOthersWhatBothMake) {
  std::atomic<int> failures = 0;
  const auto makeAll = [&] {
    for (int number = 0; number < 500; ++number) {
      if (!root_->openOrMakeFile("/d" + std::to_string(number) + "/file")) ++failures;
    }
  };
  {
    const std::jthread first(makeAll);
    const std::jthread second(makeAll);
  }
  EXPECT_EQ(failures, 0);
}

TEST_F(Root, FollowsSymlinksInsideOnly) {
  fs::create_symlink((top_ / "canary").string(), in("absolute"));
  fs::create_symlink("../../../../../../../../tmp", in("relative"));
  ASSERT_TRUE(root_->openOrMakeDirectory("/absolute/made"));
  ASSERT_TRUE(root_->openOrMakeFile("/relative/made"));
  EXPECT_TRUE(fs::is_directory(in((top_ / "canary/made").string().substr(1))));
  EXPECT_TRUE(fs::is_regular_file(in("tmp/made")));
}

TEST_F(Root, MakesTheTargetOfADanglingSymlink) {
  fs::create_directories(in("etc"));
  fs::create_symlink("../run/resolve/stub.conf", in("etc/resolv.conf"));
  ASSERT_TRUE(root_->openOrMakeFile("/etc/resolv.conf"));
  EXPECT_TRUE(fs::is_regular_file(in("run/resolve/stub.conf")));
}

TEST_F(Root, NeverClimbsAboveItself) {
  ASSERT_TRUE(root_->openOrMakeDirectory("../../../canary/../up"));
  EXPECT_TRUE(fs::is_directory(in("up")));
}

TEST_F(Root, RefusesLoopsMagicLinksAndFilesInTheWay) {
  fs::create_symlink("loop", in("loop"));
  EXPECT_FALSE(root_->openOrMakeDirectory("/loop/x"));
  std::ofstream(in("file")) << "x";
  EXPECT_FALSE(root_->openOrMakeDirectory("/file/below"));
  EXPECT_FALSE(root_->openOrMakeDirectory("/file"));
  const auto host = RootDirectory(*kernel::open("/", O_PATH | O_DIRECTORY));
  EXPECT_FALSE(host.open("/proc/self/cwd", O_PATH | O_DIRECTORY));
}

TEST_F(Root, GivesTheParentOfANode) {
  const auto entry = root_->openParent("/dev/sub/node");
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->name, "node");
  EXPECT_TRUE(fs::is_directory(in("dev/sub")));
  EXPECT_FALSE(root_->openParent("/"));
  EXPECT_FALSE(root_->openParent("/dev/.."));
}

}  // namespace
}  // namespace gantry::runtime
