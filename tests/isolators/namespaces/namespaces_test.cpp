#include "isolators/namespaces/namespaces.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "async/run.hpp"

namespace gantry::isolators {
namespace {

ContainerRequest request() {
  return ContainerRequest(*ContainerId::parse("web"));
}

Contribution prepared(ContainerRequest wanted) {
  NamespacesIsolator isolator{NamespaceSettings()};
  async::Loop loop;
  const auto container = std::make_shared<const Container>(Container{.request = std::move(wanted)});
  auto contribution = async::runUntilDone(loop, isolator.prepare(container));
  EXPECT_TRUE(contribution);
  return std::move(*contribution);
}

std::vector<std::string> types(const Contribution& contribution) {
  std::vector<std::string> names;
  for (const oci::Namespace& each : contribution.namespaces) names.push_back(each.type);
  std::ranges::sort(names);
  return names;
}

std::string refusal(const ContainerRequest& wanted, NamespaceSettings settings = {}) {
  const auto checked = NamespacesIsolator(settings).check(wanted);
  return checked ? "" : checked.error().message();
}

TEST(Namespaces, AreAllTheContainersOwn) {
  const Contribution contribution = prepared(request());
  EXPECT_EQ(types(contribution), (std::vector<std::string>{"cgroup", "ipc", "mount", "pid", "uts"}));
  EXPECT_EQ(contribution.mounts.front().options.back(), "size=67108864");
}

TEST(Namespaces, AreSharedWhenAskedFor) {
  ContainerRequest wanted = request();
  wanted.security.sharePidNamespace = true;
  wanted.security.shareIpcNamespace = true;
  const Contribution contribution = prepared(wanted);
  EXPECT_EQ(types(contribution), (std::vector<std::string>{"cgroup", "mount", "uts"}));
  EXPECT_EQ(contribution.mounts.front().source, "/dev/shm");
}

TEST(Namespaces, AreNotSharedAgainstTheOperatorsWill) {
  ContainerRequest wanted = request();
  wanted.security.sharePidNamespace = true;
  EXPECT_TRUE(refusal(wanted, {.allowHostPid = false}).starts_with("security.share_pid_namespace: "));
  wanted = request();
  wanted.security.shareIpcNamespace = true;
  EXPECT_TRUE(refusal(wanted, {.allowHostIpc = false}).starts_with("security.share_ipc_namespace: "));
}

TEST(SharedMemory, HasASizeThatMakesSense) {
  ContainerRequest wanted = request();
  wanted.shmSize = Bytes{0};
  EXPECT_EQ(refusal(wanted), "shm_size: must be at least 4KiB");
  wanted.shmSize = Bytes::mebi(1);
  EXPECT_EQ(refusal(wanted), "");
  wanted.security.shareIpcNamespace = true;
  EXPECT_TRUE(refusal(wanted).starts_with("shm_size: "));
}

TEST(Hostname, IsOne) {
  for (const char* good : {"a", "web-1.example.com", "A9"}) {
    ContainerRequest wanted = request();
    wanted.hostname = good;
    EXPECT_EQ(refusal(wanted), "") << good;
  }
  for (const char* bad : {"", "-a", "a b", "a\nb", "a/b"}) {
    ContainerRequest wanted = request();
    wanted.hostname = bad;
    EXPECT_TRUE(refusal(wanted).starts_with("hostname: ")) << bad;
  }
  ContainerRequest wanted = request();
  wanted.hostname = std::string(65, 'a');
  EXPECT_TRUE(refusal(wanted).starts_with("hostname: "));
}

}  // namespace
}  // namespace gantry::isolators
