#include "runtime/validate.hpp"

#include <gtest/gtest.h>

namespace gantry::runtime {
namespace {

oci::Spec goodSpec() {
  oci::Spec spec;
  spec.ociVersion = "1.2.0";
  spec.root = oci::Root{"rootfs", false};
  spec.process.emplace();
  spec.process->args = {"true"};
  spec.process->cwd = "/";
  spec.linux.emplace();
  spec.linux->namespaces = {{"mount", ""}, {"pid", ""}};
  return spec;
}

std::string errorOf(const oci::Spec& spec) {
  const auto valid = validate(spec, HostFeatures{});
  return valid ? "none" : valid.error().message();
}

TEST(Validate, AcceptsAnOrdinaryContainer) {
  EXPECT_EQ(errorOf(goodSpec()), "none");
}

TEST(Validate, NamesWhatIsMissing) {
  oci::Spec spec = goodSpec();
  spec.process.reset();
  EXPECT_EQ(errorOf(spec), "process: is missing");
  spec = goodSpec();
  spec.linux->namespaces = {{"pid", ""}};
  EXPECT_EQ(errorOf(spec), "linux.namespaces: a mount namespace is needed");
  spec = goodSpec();
  spec.hostname = "h";
  EXPECT_EQ(errorOf(spec), "hostname: needs a uts namespace");
  spec = goodSpec();
  spec.linux->namespaces.push_back({"user", ""});
  EXPECT_EQ(errorOf(spec), "linux.uidMappings: must not be empty with a new user namespace");
  spec = goodSpec();
  spec.linux->uidMappings = {{0, 1000, 1}};
  EXPECT_EQ(errorOf(spec), "linux.uidMappings: needs a user namespace");
}

TEST(Validate, RefusesByNameWhatThisKernelCannotDo) {
  oci::Spec spec = goodSpec();
  spec.process->apparmorProfile = "docker-default";
  EXPECT_EQ(errorOf(spec), "process.apparmorProfile: this kernel has no AppArmor");
  EXPECT_TRUE(validate(spec, HostFeatures{.apparmor = true}));
  spec = goodSpec();
  spec.linux->intelRdt.emplace();
  EXPECT_EQ(validate(spec, HostFeatures{}).error().code(), Code::Unsupported);
  spec = goodSpec();
  spec.process->rlimits = {{"RLIMIT_MOON", 1, 1}};
  EXPECT_EQ(errorOf(spec), "process.rlimits[0].type: 'RLIMIT_MOON' is not a resource limit");
}

TEST(Validate, KeepsSysctlsOfTheHostFromContainers) {
  oci::Linux linux;
  linux.namespaces = {{"network", ""}, {"ipc", ""}};
  EXPECT_TRUE(validateSysctl("net.core.somaxconn", linux));
  EXPECT_TRUE(validateSysctl("net/ipv4/conf/eth0.100/forwarding", linux));
  EXPECT_TRUE(validateSysctl("kernel.shm_rmid_forced", linux));
  EXPECT_TRUE(validateSysctl("fs.mqueue.msg_max", linux));
  EXPECT_EQ(validateSysctl("kernel.core_pattern", linux).error().message(),
            "linux.sysctl.kernel.core_pattern: belongs to the host and to no namespace");
  EXPECT_FALSE(validateSysctl("net.../../kernel/core_pattern", linux));
  EXPECT_FALSE(validateSysctl("kernel.shm_rmid_forced+kernel.core_pattern", linux));
  EXPECT_FALSE(validateSysctl("net.core.somaxconn\n", linux));
  EXPECT_FALSE(validateSysctl("kernel.hostname", linux));
  linux.namespaces.clear();
  EXPECT_EQ(validateSysctl("net.core.somaxconn", linux).error().message(),
            "linux.sysctl.net.core.somaxconn: needs a network namespace");
}

}  // namespace
}  // namespace gantry::runtime
