#include "isolators/filesystem/filesystem.hpp"

#include <gtest/gtest.h>

namespace gantry::isolators {
namespace {

kernel::MountEntry at(std::string path, std::string type = "ext4") {
  return {.mountPoint = path, .type = std::move(type), .source = "what is at " + path};
}

TEST(HostMounts, LeavesOutWhatAContainerHasForItself) {
  const std::vector<oci::Mount> mounts =
      hostMounts({at("/"), at("/proc"), at("/sys"), at("/sys/fs/cgroup"), at("/dev/shm"), at("/home"), at("/process"),
                  at("/run", "tmpfs"), at("/run/gantry/containers/a/rootfs"), at("/var/docker/merged", "overlay"),
                  at("/home"), at("/run/netns/x", "nsfs"), at("/home/deep er")},
                 "/run/gantry/containers");
  std::vector<std::string> destinations;
  for (const oci::Mount& mount : mounts) {
    destinations.push_back(mount.destination);
    EXPECT_EQ(mount.source, mount.destination);
    EXPECT_EQ(mount.options, (std::vector<std::string>{"bind", "rslave"}));
  }
  EXPECT_EQ(destinations, (std::vector<std::string>{"/home", "/process", "/run", "/home/deep er"}));
}

TEST(HostMounts, LeaveOutTheRootOfOtherAgentsContainers) {
  std::vector<kernel::MountEntry> mounts = {at("/"), at("/srv"), at("/other/containers/a/rootfs"), at("/data")};
  for (kernel::MountEntry& entry : mounts) {
    entry.root = "/";
    entry.source = entry.mountPoint == "/srv" ? "/dev/vdb" : "/dev/vda";
  }
  mounts[3].root = "/some/directory";
  std::vector<std::string> destinations;
  for (const oci::Mount& mount : hostMounts(mounts, "/run/gantry/containers"))
    destinations.push_back(mount.destination);
  EXPECT_EQ(destinations, (std::vector<std::string>{"/srv", "/data"}));
}

TEST(Filesystem, RefusesADiskLimitItCannotEnforce) {
  async::WorkerPool pool;
  const FilesystemIsolator isolator("/mnt/mesos/sandbox", "/run/gantry/containers", pool);
  ContainerRequest request(*ContainerId::parse("web"));
  EXPECT_TRUE(isolator.check(request));
  request.resources.disk = Bytes::mebi(1);
  const auto refused = isolator.check(request);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::Unsupported);
  EXPECT_TRUE(refused.error().message().starts_with("resources.disk: "));
}

}  // namespace
}  // namespace gantry::isolators
