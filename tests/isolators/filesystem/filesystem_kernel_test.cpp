// Mounts real overlays; needs root.
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "async/run.hpp"
#include "isolators/filesystem/filesystem.hpp"
#include "isolators/filesystem/overlay.hpp"
#include "kernel/file.hpp"

namespace gantry::isolators {
namespace {

class FilesystemOnKernel : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    std::string name = testing::TempDir() + "gantry-overlay-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  void TearDown() override {
    if (directory_.empty()) return;
    umount2((directory_ + "/target").c_str(), MNT_DETACH);
    std::filesystem::remove_all(directory_);
  }
  std::string make(const std::string& name) {
    std::filesystem::create_directories(directory_ + "/" + name);
    return directory_ + "/" + name;
  }
  // Layers that each have a file of their own and one, "same", of the same name.
  Overlay overlayOf(int layers, const std::string& prefix = "layer-") {
    Overlay overlay{.upper = make("upper"), .work = make("work")};
    for (int i = 0; i < layers; ++i) {
      overlay.layers.push_back(make(prefix + std::to_string(i)));
      std::ofstream(overlay.layers.back() + "/own-" + std::to_string(i)) << i;
      std::ofstream(overlay.layers.back() + "/same") << i;
    }
    return overlay;
  }

  std::string directory_;
};

TEST_F(FilesystemOnKernel, MountsAHundredAndTwentySevenLayersLastOnTop) {
  const std::string target = make("target");
  const auto mounted = mountOverlay(overlayOf(127), target);
  ASSERT_TRUE(mounted) << mounted.error().message();
  EXPECT_EQ(*kernel::readFile(target + "/same"), "126");
  EXPECT_TRUE(kernel::exists(target + "/own-0"));
}

TEST_F(FilesystemOnKernel, MountsLayersWhoseNamesAreLongOrOdd) {
  const std::string target = make("target");
  const auto mounted = mountOverlay(overlayOf(40, "a:b,c=\\ " + std::string(230, 'x')), target);
  ASSERT_TRUE(mounted) << mounted.error().message();
  EXPECT_EQ(*kernel::readFile(target + "/same"), "39");
}

class IsolatorOnKernel : public FilesystemOnKernel {
 protected:
  template <typename T>
  T run(async::Task<T> work) {
    return async::runUntilDone(loop_, std::move(work));
  }
  ContainerPtr container() {
    Container made{.request = ContainerRequest(*ContainerId::parse("web"))};
    made.request.image = "a/b";
    made.layers = overlayOf(2).layers;
    made.stateDirectory = make("state/web");
    made.sandbox = make("state/web/sandbox");
    made.runtimeDirectory = make("containers/web");
    return std::make_shared<const Container>(std::move(made));
  }

  async::Loop loop_;
  async::WorkerPool pool_;
};

TEST_F(IsolatorOnKernel, PreparesAndCleansUpTwice) {
  FilesystemIsolator isolator("/mnt/mesos/sandbox", make("containers"), pool_);
  const ContainerPtr web = container();
  ASSERT_TRUE(run(isolator.cleanup(web)));
  for (int i = 0; i < 2; ++i) {
    const auto contribution = run(isolator.prepare(web));
    ASSERT_TRUE(contribution) << contribution.error().message();
    EXPECT_EQ(*kernel::readFile(*contribution->rootfs + "/same"), "1");
    EXPECT_EQ(isolator.leftovers(), std::vector<std::string>{"web"});
  }
  EXPECT_EQ(isolator.plan(*web).front().name, web->runtimeDirectory + "/rootfs");
  ASSERT_TRUE(run(isolator.cleanup(web)));
  ASSERT_TRUE(run(isolator.cleanup(web)));
  EXPECT_TRUE(isolator.leftovers().empty());
  EXPECT_FALSE(kernel::exists(web->runtimeDirectory + "/rootfs"));
  EXPECT_FALSE(kernel::exists(web->stateDirectory + "/upper"));
  EXPECT_TRUE(kernel::exists(web->sandbox));
}

TEST_F(IsolatorOnKernel, AnImageWithoutLayersIsAnEmptyRoot) {
  FilesystemIsolator isolator("/mnt/mesos/sandbox", make("containers"), pool_);
  Container bare = *container();
  bare.layers.clear();
  const ContainerPtr web = std::make_shared<const Container>(std::move(bare));
  const auto contribution = run(isolator.prepare(web));
  ASSERT_TRUE(contribution) << contribution.error().message();
  EXPECT_TRUE(kernel::listDirectory(*contribution->rootfs)->empty());
  ASSERT_TRUE(run(isolator.cleanup(web)));
}

}  // namespace
}  // namespace gantry::isolators
