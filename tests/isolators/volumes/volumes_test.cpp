#include "isolators/volumes/volumes.hpp"

#include <filesystem>

#include <gtest/gtest.h>

#include "async/run.hpp"
#include "kernel/file.hpp"

namespace gantry::isolators {
namespace {

constexpr const char* kSandbox = "/mnt/mesos/sandbox";

class VolumesTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "gantry-volumes-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
    std::filesystem::create_directories(directory_ + "/sandbox");
    std::filesystem::create_directories(directory_ + "/data");
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  Volume onHost() const {
    return {.source = Volume::Source::HostPath, .path = directory_ + "/data", .containerPath = "/data"};
  }
  static Volume inSandbox() { return {.source = Volume::Source::SandboxPath, .path = "a/b", .containerPath = "/data"}; }
  static ContainerRequest with(Volume volume, bool hasImage = true) {
    ContainerRequest request(*ContainerId::parse("web"));
    if (hasImage) request.image = "a/b";
    request.volumes.push_back(std::move(volume));
    return request;
  }
  static std::string refusal(const ContainerRequest& request) {
    const auto checked = VolumesIsolator(kSandbox).check(request);
    return checked ? "" : checked.error().message();
  }
  Result<Contribution> prepare(ContainerRequest request, std::vector<std::string> created = {}) {
    VolumesIsolator isolator(kSandbox, std::move(created));
    Container container{.request = std::move(request)};
    container.sandbox = directory_ + "/sandbox";
    async::Loop loop;
    return async::runUntilDone(loop, isolator.prepare(std::make_shared<const Container>(std::move(container))));
  }

  std::string directory_;
};

TEST_F(VolumesTest, MakesHostPathsWhereTheOperatorAllowsIt) {
  Volume missing = onHost();
  missing.path = directory_ + "/data/new/one/";
  EXPECT_NE(refusal(with(missing)), "");
  const VolumesIsolator isolator(kSandbox, {"/elsewhere", directory_ + "/data"});
  EXPECT_TRUE(isolator.check(with(missing)));
  const auto contribution = prepare(with(missing), {"/elsewhere", directory_ + "/data"});
  ASSERT_TRUE(contribution) << contribution.error().message();
  EXPECT_EQ(contribution->mounts.front().source, directory_ + "/data/new/one");
  EXPECT_TRUE(std::filesystem::is_directory(directory_ + "/data/new/one"));
  Volume beside = onHost();
  beside.path = directory_ + "/database";
  EXPECT_FALSE(isolator.check(with(beside))) << "a name that begins alike is another directory";

  std::filesystem::create_directory_symlink("/tmp", directory_ + "/data/link");
  missing.path = directory_ + "/data/link/gantry-never-made/deeper";
  EXPECT_FALSE(prepare(with(missing), {directory_ + "/data"})) << "a tenant's symlink is not followed";
}

TEST_F(VolumesTest, BindsAHostPath) {
  const auto contribution = prepare(with(onHost()));
  ASSERT_TRUE(contribution);
  const oci::Mount& mount = contribution->mounts.front();
  EXPECT_EQ(mount.type, "bind");
  EXPECT_EQ(mount.source, directory_ + "/data");
  EXPECT_EQ(mount.destination, "/data");
  EXPECT_EQ(mount.options, (std::vector<std::string>{"rbind", "rslave"}));
}

TEST_F(VolumesTest, ReadOnlyIsRecursive) {
  Volume volume = onHost();
  volume.readOnly = true;
  volume.propagation = Volume::Propagation::Private;
  EXPECT_EQ(prepare(with(volume))->mounts.front().options, (std::vector<std::string>{"rbind", "rprivate", "rro"}));
}

TEST_F(VolumesTest, ARelativeContainerPathIsInTheSandbox) {
  Volume volume = onHost();
  volume.containerPath = "in/side";
  EXPECT_EQ(prepare(with(volume))->mounts.front().destination, "/mnt/mesos/sandbox/in/side");
  EXPECT_EQ(prepare(with(volume, false))->mounts.front().destination, directory_ + "/sandbox/in/side");
}

TEST_F(VolumesTest, MakesASandboxPath) {
  const auto contribution = prepare(with(inSandbox()));
  ASSERT_TRUE(contribution);
  EXPECT_EQ(contribution->mounts.front().source, directory_ + "/sandbox/a/b");
  EXPECT_TRUE(kernel::exists(directory_ + "/sandbox/a/b"));
}

TEST_F(VolumesTest, IsNotLedOutOfTheSandboxByASymlink) {
  std::filesystem::create_symlink(directory_ + "/data", directory_ + "/sandbox/a");
  const auto contribution = prepare(with(inSandbox()));
  ASSERT_FALSE(contribution);
  EXPECT_TRUE(contribution.error().message().starts_with("volumes[0]: ")) << contribution.error().message();
  EXPECT_FALSE(kernel::exists(directory_ + "/data/b"));
}

TEST_F(VolumesTest, NamesTheFieldThatIsWrong) {
  const auto hostPath = [&](std::string path) {
    Volume volume = onHost();
    volume.path = std::move(path);
    return refusal(with(volume));
  };
  const auto containerPath = [&](std::string path) {
    Volume volume = onHost();
    volume.containerPath = std::move(path);
    return refusal(with(volume));
  };
  EXPECT_EQ(hostPath("relative"), "volumes[0].host_path: 'relative' must be absolute");
  EXPECT_EQ(hostPath("/does/not/exist"), "volumes[0].host_path: '/does/not/exist' does not exist");
  EXPECT_EQ(hostPath("/tmp/../etc"), "volumes[0].host_path: '/tmp/../etc' must not contain '..'");
  EXPECT_EQ(hostPath(""), "volumes[0].host_path: must not be empty");
  EXPECT_EQ(containerPath("../x"), "volumes[0].container_path: '../x' must not contain '..'");
  EXPECT_EQ(containerPath("/"), "volumes[0].container_path: must not be the root directory");
  EXPECT_EQ(containerPath("."), "volumes[0].container_path: must not be the root directory");
  EXPECT_EQ(containerPath("/proc"), "volumes[0].container_path: '/proc' is in /proc");
  EXPECT_EQ(containerPath("//proc//sys"), "volumes[0].container_path: '//proc//sys' is in /proc");
  EXPECT_EQ(containerPath("/process"), "");
  EXPECT_EQ(containerPath(std::string("/a\0b", 4)), "volumes[0].container_path: holds a NUL character");
}

TEST_F(VolumesTest, WithoutAnImageAnAbsoluteTargetMustExist) {
  Volume volume = onHost();
  volume.containerPath = "/does/not/exist";
  EXPECT_EQ(refusal(with(volume)), "");
  EXPECT_EQ(refusal(with(volume, false)), "volumes[0].container_path: '/does/not/exist' does not exist on the host");
}

TEST_F(VolumesTest, ASandboxPathIsRelativeAndNotShared) {
  Volume volume = inSandbox();
  volume.path = "/abs";
  EXPECT_EQ(refusal(with(volume)), "volumes[0].source.sandbox_path: '/abs' must be relative");
  volume = inSandbox();
  volume.propagation = Volume::Propagation::Bidirectional;
  EXPECT_EQ(refusal(with(volume)), "volumes[0].mount_propagation: bidirectional is for host paths");
}

TEST_F(VolumesTest, MountsFileSystemsInMemory) {
  const Volume tmpfs{
      .source = Volume::Source::Tmpfs, .containerPath = "/run/x", .tmpfsOptions = {"exec", "size=64m", "mode=1777"}};
  EXPECT_EQ(refusal(with(tmpfs)), "");
  const oci::Mount mount = prepare(with(tmpfs))->mounts.front();
  EXPECT_EQ(mount.type, "tmpfs");
  EXPECT_EQ(mount.destination, "/run/x");
  EXPECT_EQ(mount.options, (std::vector<std::string>{"nosuid", "nodev", "noexec", "exec", "size=64m", "mode=1777"}));
}

TEST_F(VolumesTest, KnowsTheOptionsOfATmpfs) {
  const auto options = [](std::string option, std::string path = "/run") {
    return refusal(
        with({.source = Volume::Source::Tmpfs, .containerPath = std::move(path), .tmpfsOptions = {std::move(option)}}));
  };
  EXPECT_EQ(options("size=50%"), "");
  EXPECT_EQ(options("bind"), "volumes[0].tmpfs_options: 'bind' is no option of a tmpfs");
  EXPECT_EQ(options("size"), "volumes[0].tmpfs_options: 'size' is no option of a tmpfs");
  EXPECT_EQ(options("size=1,lowerdir=/"), "volumes[0].tmpfs_options: 'size=1,lowerdir=/' is no option of a tmpfs");
  EXPECT_EQ(options("ro", "run"), "volumes[0].container_path: must be absolute");
  EXPECT_EQ(options("ro", "/proc/x"), "volumes[0].container_path: '/proc/x' is in /proc");
}

}  // namespace
}  // namespace gantry::isolators
