#include "isolators/security/security.hpp"

#include <gtest/gtest.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>

#include <algorithm>
#include <functional>

#include "async/run.hpp"
#include "isolators/security/default_seccomp.hpp"
#include "isolators/security/host_devices.hpp"
#include "kernel/file.hpp"
#include "runtime/seccomp.hpp"

namespace gantry::isolators {
namespace {

using Names = std::vector<std::string>;

const SecurityHost kHost{{"CAP_CHOWN", "CAP_KILL", "CAP_NET_ADMIN", "CAP_SETUID", "CAP_SYS_ADMIN"}, "x86_64"};

ContainerRequest request() {
  return ContainerRequest(*ContainerId::root("web"));
}

bool has(const Names& all, std::string_view one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

std::string refusalOf(const SecurityIsolator& isolator, const Security& security) {
  auto asked = request();
  asked.security = security;
  const auto checked = isolator.check(asked);
  return checked ? "" : checked.error().message();
}

TEST(Security, GivesDockersDefaults) {
  const SecurityIsolator isolator({dockerCapabilities(), "x86_64"}, {});
  const Contribution contribution = isolator.contribute(request());
  EXPECT_EQ(dockerCapabilities().size(), 14U);
  EXPECT_EQ(contribution.capabilities->bounding, dockerCapabilities());
  EXPECT_EQ(contribution.capabilities->effective, dockerCapabilities());
  EXPECT_EQ(contribution.capabilities->permitted, dockerCapabilities());
  EXPECT_TRUE(contribution.capabilities->inheritable.empty());
  EXPECT_TRUE(contribution.capabilities->ambient.empty());
  EXPECT_TRUE(*contribution.noNewPrivileges);
  EXPECT_TRUE(contribution.seccomp);
  EXPECT_TRUE(has(contribution.maskedPaths, "/proc/kcore"));
  EXPECT_TRUE(has(contribution.readonlyPaths, "/proc/sys"));
  EXPECT_TRUE(isolator.withheld().empty());
}

TEST(Security, CutsDefaultsToWhatTheAgentHolds) {
  const SecurityIsolator isolator(kHost, {});
  EXPECT_EQ(isolator.contribute(request()).capabilities->effective, (Names{"CAP_CHOWN", "CAP_KILL", "CAP_SETUID"}));
  EXPECT_EQ(isolator.withheld().size(), 11U);
}

TEST(Security, GivesNamedCapabilitiesToEverySet) {
  const SecurityIsolator isolator(kHost, {});
  auto asked = request();
  asked.security.effectiveCapabilities = {"CAP_NET_ADMIN"};
  const Contribution contribution = isolator.contribute(asked);
  for (const Names& set :
       {contribution.capabilities->bounding, contribution.capabilities->effective, contribution.capabilities->permitted,
        contribution.capabilities->inheritable, contribution.capabilities->ambient}) {
    EXPECT_EQ(set, Names{"CAP_NET_ADMIN"});
  }
  asked.security.boundingCapabilities = {"CAP_NET_ADMIN", "CAP_CHOWN"};
  EXPECT_EQ(isolator.contribute(asked).capabilities->bounding.size(), 2U);
}

TEST(Security, LeavesInheritableAndAmbientEmptyWhenOnlyRootHasCapabilities) {
  const SecurityIsolator isolator(kHost, {});
  auto asked = request();
  asked.security.effectiveCapabilities = {"CAP_NET_ADMIN"};
  asked.security.onlyRootHasCapabilities = true;
  const oci::Capabilities sets = *isolator.contribute(asked).capabilities;
  EXPECT_EQ(sets.effective, Names{"CAP_NET_ADMIN"});
  EXPECT_EQ(sets.permitted, Names{"CAP_NET_ADMIN"});
  EXPECT_TRUE(sets.inheritable.empty());
  EXPECT_TRUE(sets.ambient.empty());
}

TEST(Security, RefusesCapabilitiesItCannotGive) {
  const SecurityIsolator isolator(kHost, {});
  EXPECT_EQ(refusalOf(isolator, {.effectiveCapabilities = Names{"CAP_MAGIC"}}),
            "security.effective_capabilities: 'CAP_MAGIC' is not a capability");
  EXPECT_EQ(refusalOf(isolator, {.effectiveCapabilities = Names{"cap_chown"}}),
            "security.effective_capabilities: 'cap_chown' is not a capability");
  EXPECT_EQ(refusalOf(isolator, {.boundingCapabilities = Names{"CAP_SYS_RESOURCE"}}),
            "security.bounding_capabilities: 'CAP_SYS_RESOURCE' is beyond what the operator allows");
  EXPECT_EQ(
      refusalOf(isolator, {.effectiveCapabilities = Names{"CAP_KILL"}, .boundingCapabilities = Names{"CAP_CHOWN"}}),
      "security.effective_capabilities: 'CAP_KILL' is not among the bounding capabilities");
  EXPECT_EQ(refusalOf(isolator, {.effectiveCapabilities = Names{"CAP_KILL"}}), "");
  const SecurityIsolator wide(kHost, {.boundingCapabilities = Names{"CAP_SYS_RESOURCE", "CAP_KILL"}});
  EXPECT_EQ(refusalOf(wide, {.effectiveCapabilities = Names{"CAP_SYS_RESOURCE"}}),
            "security.effective_capabilities: 'CAP_SYS_RESOURCE' is not held by this agent");
  EXPECT_EQ(refusalOf(wide, {.effectiveCapabilities = Names{"CAP_CHOWN"}}),
            "security.effective_capabilities: 'CAP_CHOWN' is beyond what the operator allows");
}

TEST(Security, LetsAPrivilegedContainerDoWhatTheAgentCan) {
  const SecurityIsolator isolator(kHost, {});
  auto asked = request();
  asked.security.privileged = true;
  const Contribution contribution = isolator.contribute(asked);
  EXPECT_EQ(contribution.capabilities->effective, kHost.capabilities);
  EXPECT_TRUE(contribution.capabilities->ambient.empty());
  EXPECT_FALSE(*contribution.noNewPrivileges);
  EXPECT_FALSE(contribution.seccomp);
  EXPECT_TRUE(contribution.maskedPaths.empty());
  EXPECT_TRUE(contribution.readonlyPaths.empty());
}

TEST(Security, IsAsStrictAsTheOperatorSays) {
  const SecurityIsolator isolator(kHost, {.allowPrivileged = false, .allowUnconfined = false});
  EXPECT_NE(refusalOf(isolator, {.privileged = true}), "");
  EXPECT_NE(refusalOf(isolator, {.seccompUnconfined = true}), "");
  EXPECT_EQ(refusalOf(isolator, {}), "");
}

TEST(Security, LeavesOutTheFilterWhenAsked) {
  auto asked = request();
  asked.security.seccompUnconfined = true;
  const Contribution contribution = SecurityIsolator(kHost, {}).contribute(asked);
  EXPECT_FALSE(contribution.seccomp);
  EXPECT_FALSE(contribution.maskedPaths.empty());
}

// What the child returns under the default profile for `capabilities`; it keeps all its privileges otherwise.
int underDefault(const Names& capabilities, const std::function<long()>& call) {
  struct utsname system{};
  ::uname(&system);
  const auto filter = runtime::compileSeccomp(defaultSeccomp(capabilities, system.machine), "");
  EXPECT_TRUE(filter) << (filter ? "" : filter.error().message());
  if (!filter) return -1;
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (!runtime::loadSeccomp(*filter)) ::_exit(120);
    ::_exit(call() < 0 ? errno : 0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(DefaultSeccomp, RefusesWhatReachesBeyondTheContainer) {
  const Names none;
  EXPECT_EQ(underDefault(none, [] { return ::syscall(SYS_mount, 0, 0, 0, 0, 0); }), EPERM);
  EXPECT_EQ(underDefault(none, [] { return ::syscall(SYS_unshare, CLONE_NEWUSER); }), EPERM);
  EXPECT_EQ(underDefault(none, [] { return ::syscall(SYS_add_key, 0, 0, 0, 0, 0); }), EPERM);
  EXPECT_EQ(underDefault(none, [] { return ::syscall(SYS_io_uring_setup, 0, 0); }), EPERM);
  EXPECT_EQ(underDefault(none, [] { return ::syscall(SYS_userfaultfd, 0); }), EPERM);
  EXPECT_EQ(underDefault(none, [] { return ::syscall(SYS_bpf, 0, 0, 0); }), EPERM);
  EXPECT_EQ(underDefault(none, [] { return ::syscall(SYS_kexec_load, 0, 0, 0, 0); }), EPERM);
  EXPECT_EQ(underDefault(none, [] { return static_cast<long>(::socket(AF_VSOCK, SOCK_STREAM, 0)); }), EPERM);
  EXPECT_EQ(underDefault(none, [] { return static_cast<long>(::socket(AF_ALG, SOCK_SEQPACKET, 0)); }), EPERM);
  EXPECT_EQ(underDefault(none, [] { return ::syscall(SYS_clone, CLONE_NEWUSER, 0, 0, 0, 0); }), EPERM);
  EXPECT_EQ(underDefault(none, [] { return ::syscall(SYS_clone3, 0, 0); }), ENOSYS);
}

TEST(DefaultSeccomp, AllowsWhatProgramsDo) {
  const Names none;
  EXPECT_EQ(underDefault(none, [] { return static_cast<long>(::socket(AF_UNIX, SOCK_STREAM, 0)); }), 0);
  EXPECT_EQ(underDefault(none, [] { return static_cast<long>(::socket(AF_INET, SOCK_STREAM, 0)); }), 0);
  EXPECT_EQ(underDefault(none, [] { return ::syscall(SYS_personality, 0xFFFFFFFF); }), 0);
  EXPECT_EQ(underDefault(none, [] { return static_cast<long>(::fork()); }), 0);
  EXPECT_EQ(underDefault(none, [] { return ::syscall(SYS_ptrace, 0, 0, 0, 0); }), 0);
  // Calls that are newer than libseccomp.
  EXPECT_EQ(underDefault(none, [] { return ::syscall(600); }), ENOSYS);
}

TEST(DefaultSeccomp, OpensWithCapabilities) {
  EXPECT_NE(underDefault({"CAP_SYS_ADMIN"}, [] { return ::syscall(SYS_mount, 0, 0, 0, 0, 0); }), EPERM);
  EXPECT_EQ(underDefault({"CAP_SYS_ADMIN"}, [] { return ::syscall(SYS_clone3, 0, 0); }), EINVAL);
  EXPECT_EQ(underDefault({"CAP_SYS_CHROOT"}, [] { return ::syscall(SYS_chroot, 0); }), EFAULT);
  EXPECT_EQ(underDefault({}, [] { return ::syscall(SYS_chroot, 0); }), EPERM);
}

TEST(DefaultSeccomp, NamesTheMachinesRelatives) {
  EXPECT_EQ(defaultSeccomp({}, "x86_64").architectures, (Names{"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"}));
  EXPECT_EQ(defaultSeccomp({}, "aarch64").architectures, (Names{"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"}));
  EXPECT_TRUE(has(defaultSeccomp({}, "x86_64").syscalls[0].names, "arch_prctl"));
  EXPECT_FALSE(has(defaultSeccomp({}, "aarch64").syscalls[0].names, "arch_prctl"));
  EXPECT_EQ(defaultSeccomp({}, "s390x").syscalls[9].args[0].index, 1U);
  for (const char* machine : {"aarch64", "ppc64le", "riscv64", "s390x", "x86_64"}) {
    EXPECT_TRUE(runtime::compileSeccomp(defaultSeccomp({}, "x86_64"), "")) << machine;
  }
}

class HostDevices : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(::mkdtemp(path_.data()), nullptr); }
  void TearDown() override { EXPECT_TRUE(kernel::removeTree(path_)); }

  std::string path_ = testing::TempDir() + "gantry-devices-XXXXXX";
};

TEST_F(HostDevices, AreFoundBelowDirectoriesButNotThroughLinks) {
  ASSERT_TRUE(kernel::makeDirectories(path_ + "/net", 0755));
  ASSERT_TRUE(kernel::makeDirectories(path_ + "/pts", 0755));
  ASSERT_TRUE(kernel::symlinkAt("/dev", kernel::workingDirectory(), path_ + "/link"));
  ASSERT_TRUE(kernel::replaceFile(path_ + "/file", "x"));
  if (::mknod((path_ + "/net/tun").c_str(), S_IFCHR | 0620, ::makedev(10, 200)) != 0) GTEST_SKIP() << "needs CAP_MKNOD";
  ASSERT_EQ(::mknod((path_ + "/pts/3").c_str(), S_IFCHR | 0620, ::makedev(136, 3)), 0);
  ASSERT_EQ(::mknod((path_ + "/disk").c_str(), S_IFBLK | 0600, ::makedev(7, 0)), 0);
  const auto devices = hostDevices(path_);
  ASSERT_TRUE(devices);
  ASSERT_EQ(devices->size(), 2U);
  EXPECT_EQ(devices->at(0), (oci::Device{path_ + "/disk", "b", 7, 0, 0600 & ~022, 0, 0}));
  EXPECT_EQ(devices->at(1).path, path_ + "/net/tun");
  EXPECT_EQ(devices->at(1).minor, 200);
}

}  // namespace
}  // namespace gantry::isolators
