#include "oci/spec.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace gantry::oci {
namespace {

// Every member of the specification that we know, each with a value of its own.
constexpr std::string_view kFull = R"({
  "ociVersion": "1.2.0",
  "process": {
    "terminal": true, "consoleSize": {"height": 24, "width": 80},
    "user": {"uid": 1, "gid": 2, "umask": 18, "additionalGids": [3, 4]},
    "args": ["sh", "-c", "true"], "env": ["A=b", "C="], "cwd": "/tmp",
    "capabilities": {"bounding": ["CAP_CHOWN"], "effective": ["CAP_KILL"], "inheritable": ["CAP_SETUID"],
                     "permitted": ["CAP_SETGID"], "ambient": ["CAP_SYS_TIME"]},
    "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 10, "hard": 18446744073709551615}],
    "noNewPrivileges": true, "apparmorProfile": "p", "selinuxLabel": "l", "oomScoreAdj": -5,
    "scheduler": {"policy": "SCHED_DEADLINE", "nice": -3, "priority": 4, "flags": ["SCHED_FLAG_RECLAIM"],
                  "runtime": 5, "deadline": 6, "period": 7},
    "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 3},
    "execCPUAffinity": {"initial": "0", "final": "1"}
  },
  "root": {"path": "rootfs", "readonly": true},
  "hostname": "h", "domainname": "d",
  "mounts": [{"destination": "/m", "type": "bind", "source": "/s", "options": ["rbind", "ro"],
              "uidMappings": [{"containerID": 0, "hostID": 100, "size": 5}],
              "gidMappings": [{"containerID": 0, "hostID": 200, "size": 5}]}],
  "hooks": {"prestart": [{"path": "/a"}], "createRuntime": [{"path": "/b", "args": ["b", "x"]}],
            "createContainer": [{"path": "/c", "env": ["K=v"]}], "startContainer": [{"path": "/d", "timeout": 3}],
            "poststart": [{"path": "/e"}], "poststop": [{"path": "/f"}]},
  "annotations": {"k": "v"},
  "linux": {
    "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 10}],
    "gidMappings": [{"containerID": 0, "hostID": 2000, "size": 10}],
    "sysctl": {"net.core.somaxconn": "256"},
    "resources": {
      "devices": [{"allow": false}, {"allow": true, "type": "c", "major": 1, "minor": 3, "access": "rwm"}],
      "memory": {"limit": 1, "reservation": 2, "swap": -1, "kernel": 3, "kernelTCP": 4, "swappiness": 5,
                 "disableOOMKiller": false, "useHierarchy": true, "checkBeforeUpdate": true},
      "cpu": {"shares": 1, "quota": -1, "burst": 2, "period": 3, "realtimeRuntime": 4, "realtimePeriod": 5,
              "cpus": "0-1", "mems": "0", "idle": 1},
      "pids": {"limit": 100},
      "blockIO": {"weight": 10, "leafWeight": 11, "weightDevice": [{"major": 8, "minor": 0, "weight": 500}],
                  "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1}],
                  "throttleWriteBpsDevice": [{"major": 8, "minor": 0, "rate": 2}],
                  "throttleReadIOPSDevice": [{"major": 8, "minor": 0, "rate": 3}],
                  "throttleWriteIOPSDevice": [{"major": 8, "minor": 0, "rate": 4}]},
      "hugepageLimits": [{"pageSize": "2MB", "limit": 9}],
      "network": {"classID": 1, "priorities": [{"name": "eth0", "priority": 5}]},
      "rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 4}},
      "unified": {"memory.high": "100"}
    },
    "cgroupsPath": "/g/a",
    "namespaces": [{"type": "pid"}, {"type": "network", "path": "/run/netns/x"}],
    "devices": [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 438, "uid": 0, "gid": 0}],
    "netDevices": {"eth0": {"name": "net0"}, "eth1": {}},
    "seccomp": {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "architectures": ["SCMP_ARCH_X86_64"],
                "flags": ["SECCOMP_FILTER_FLAG_LOG"], "listenerPath": "/l", "listenerMetadata": "m",
                "syscalls": [{"names": ["personality"], "action": "SCMP_ACT_ALLOW", "errnoRet": 2,
                              "args": [{"index": 0, "value": 4294967295, "valueTwo": 1, "op": "SCMP_CMP_EQ"}]}]},
    "rootfsPropagation": "shared", "maskedPaths": ["/proc/kcore"], "readonlyPaths": ["/proc/sys"], "mountLabel": "ml",
    "intelRdt": {"closID": "c", "schemata": ["L3:0=1"], "l3CacheSchema": "x", "memBwSchema": "y",
                 "enableMonitoring": true},
    "personality": {"domain": "LINUX32", "flags": ["F"]},
    "timeOffsets": {"monotonic": {"secs": -172800, "nanosecs": 5}}
  }
})";

std::string errorOf(std::string_view json) {
  const auto spec = parseSpec(json);
  return spec ? "none" : spec.error().message();
}

// A small good document with `members` added.
std::string withMembers(std::string_view members) {
  return fmt::format(R"({{"ociVersion": "1.0.2", "root": {{"path": "r"}}, {}}})", members);
}

std::string withProcess(std::string_view members) {
  return withMembers(fmt::format(R"("process": {{{}}})", members));
}

TEST(Spec, ReadsEveryMemberAndWritesItBack) {
  const auto spec = parseSpec(kFull);
  ASSERT_TRUE(spec) << spec.error().message();
  EXPECT_EQ(spec->process->rlimits[0].hard, ~std::uint64_t{0});
  EXPECT_EQ(spec->process->consoleSize->width, 80u);
  EXPECT_EQ(spec->process->execCpuAffinity->final, "1");
  EXPECT_EQ(spec->linux->resources->pidsLimit, 100);
  EXPECT_EQ(spec->linux->resources->memory->kernelTcp, 4);
  EXPECT_EQ(spec->linux->resources->devices[0].major, std::nullopt);
  EXPECT_EQ(spec->linux->netDevices.size(), 2u);
  EXPECT_EQ(spec->linux->timeOffsets.at("monotonic").secs, -172800);
  EXPECT_EQ(spec->hooks->startContainer[0].timeout, 3);

  const auto again = parseSpec(toJson(*spec));
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(*again, *spec);
}

TEST(Spec, ReadsTheSmallestDocument) {
  const auto spec = parseSpec(R"({"ociVersion": "1.3.0", "somethingNew": {"ignored": true}})");
  ASSERT_TRUE(spec);
  EXPECT_FALSE(spec->process);
  EXPECT_EQ(*parseSpec(toJson(*spec)), *spec);
}

TEST(Spec, ReadsAProcessAndResourcesAlone) {
  const auto process = parseProcess(R"({"args": ["a"], "cwd": "/", "user": {"uid": 5}})");
  ASSERT_TRUE(process);
  EXPECT_EQ(process->user.uid, 5u);
  EXPECT_EQ(*parseProcess(toJson(*process)), *process);
  EXPECT_EQ(parseProcess(R"({"cwd": "/"})").error().message(), "args: is missing");
  EXPECT_EQ(parseResources(R"({"memory": {"limit": 7}})")->memory->limit, 7);
  EXPECT_EQ(parseResources(R"({"cpu": {"shares": -1}})").error().message(),
            "cpu.shares: -1 is not between 0 and 18446744073709551615");
}

TEST(Spec, RefusesVersionsOtherThanOne) {
  EXPECT_EQ(errorOf("{}"), "ociVersion: is missing");
  EXPECT_EQ(errorOf(R"({"ociVersion": "2.0.0"})"), "ociVersion: '2.0.0' is not supported (1.x)");
  EXPECT_EQ(errorOf(R"({"ociVersion": "1.x"})"), "ociVersion: '1.x' is not supported (1.x)");
  EXPECT_EQ(errorOf(R"({"ociVersion": "1.0.2-dev"})"), "none");
}

TEST(Spec, NamesTheMemberByItsPath) {
  EXPECT_EQ(errorOf(withMembers(R"("linux": {"resources": {"memory": {"limit": "1G"}}})")),
            "linux.resources.memory.limit: is a string, not an integer");
  EXPECT_EQ(errorOf(withMembers(R"("linux": {"resources": {"pids": 5}})")),
            "linux.resources.pids: is a number, not an object");
  EXPECT_EQ(errorOf(withMembers(R"("linux": {"resources": {"devices": [{"allow": true}, {"type": "c"}]}})")),
            "linux.resources.devices[1].allow: is missing");
  EXPECT_EQ(errorOf(withMembers(R"("mounts": {})")), "mounts: is an object, not an array");
  EXPECT_EQ(errorOf(withMembers(R"("mounts": [{"type": "proc"}])")), "mounts[0].destination: is missing");
  EXPECT_EQ(errorOf(withMembers(R"("annotations": {"a": 1})")), "annotations.a: is a number, not a string");
}

TEST(Spec, RefusesAProcessThatCannotRun) {
  EXPECT_EQ(errorOf(withProcess(R"("args": [], "cwd": "/")")), "process.args: must not be empty");
  EXPECT_EQ(errorOf(withProcess(R"("args": ["a"])")), "process.cwd: is missing");
  EXPECT_EQ(errorOf(withProcess(R"("args": ["a"], "cwd": "tmp")")), "process.cwd: 'tmp' is not an absolute path");
  EXPECT_EQ(errorOf(withProcess(R"("args": ["a"], "cwd": "/", "env": ["A=1", "B"])")),
            "process.env[1]: 'B' is not of the form name=value");
  EXPECT_EQ(errorOf(withProcess(R"("args": ["a"], "cwd": "/", "user": {"uid": 4294967296})")),
            "process.user.uid: 4294967296 is not between 0 and 4294967295");
  EXPECT_EQ(errorOf(withProcess(R"("args": ["a"], "cwd": "/", "user": {"uid": -1})")),
            "process.user.uid: -1 is not between 0 and 4294967295");
  EXPECT_EQ(
      errorOf(withProcess(R"("args": ["a"], "cwd": "/", "rlimits": [{"type": "RLIMIT_CPU", "soft": 2, "hard": 1}])")),
      "process.rlimits[0]: RLIMIT_CPU: soft is larger than hard");
}

TEST(Spec, TakesNoIdThatTheKernelReadsAsUnchanged) {
  const auto process = [](std::string_view user) {
    return parseProcess(fmt::format(R"({{"args": ["a"], "cwd": "/", "user": {}}})", user));
  };
  EXPECT_TRUE(process(R"({"uid": 4294967294, "gid": 4294967294})"));
  EXPECT_EQ(process(R"({"uid": 4294967295})").error().message(), "user.uid: 4294967295 is no id");
  EXPECT_EQ(process(R"({"gid": 4294967295})").error().message(), "user.gid: 4294967295 is no id");
  EXPECT_EQ(process(R"({"additionalGids": [1, 4294967295]})").error().message(),
            "user.additionalGids[1]: 4294967295 is no id");
}

TEST(Spec, RefusesWhatTheSpecificationForbids) {
  EXPECT_EQ(errorOf(withMembers(R"("linux": {"namespaces": [{"type": "pid"}, {"type": "pid"}]})")),
            "linux.namespaces[0].type: 'pid' is given twice");
  EXPECT_EQ(errorOf(withMembers(R"("linux": {"namespaces": [{"type": "moon"}]})")),
            "linux.namespaces[0].type: 'moon' is not a namespace type");
  EXPECT_EQ(errorOf(withMembers(R"("linux": {"namespaces": [{"type": "pid", "path": "x"}]})")),
            "linux.namespaces[0].path: 'x' is not an absolute path");
  EXPECT_EQ(errorOf(withMembers(R"("linux": {"devices": [{"path": "/dev/x", "type": "q"}]})")),
            "linux.devices[0].type: 'q' is not one of c, b, u, p");
  EXPECT_EQ(errorOf(withMembers(R"("linux": {"resources": {"devices": [{"allow": true, "access": "rx"}]}})")),
            "linux.resources.devices[0].access: 'rx' holds more than r, w and m");
  EXPECT_EQ(errorOf(withMembers(R"("hooks": {"poststop": [{"path": "hook"}]})")),
            "hooks.poststop[0].path: 'hook' is not an absolute path");
  EXPECT_EQ(errorOf(withMembers(R"("hooks": {"poststop": [{"path": "/h", "timeout": 0}]})")),
            "hooks.poststop[0].timeout: must be greater than zero");
}

}  // namespace
}  // namespace gantry::oci
