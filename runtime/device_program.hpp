// Device rules on cgroup v2: an eBPF program that the kernel asks before a device is opened or made (bpf(2),
// BPF_CGROUP_DEVICE; Linux 4.15).
#pragma once

#include <linux/bpf.h>

#include <string>
#include <vector>

#include "base/result.hpp"
#include "runtime/device_policy.hpp"

namespace gantry::runtime {

// The program for `policy`: reads struct bpf_cgroup_dev_ctx and returns 1 to grant, 0 to refuse. Pure.
std::vector<bpf_insn> makeDeviceProgram(const DevicePolicy& policy);

// Without root, or as the root of a user namespace. Then nobody lets us set device rules, and none are needed: the
// container cannot make devices, and those that are bound into it grant what their permissions say.
bool isUnprivileged();

// Loads the program and attaches it to the cgroup v2 at `directory` in place of whatever device programs it had; at no
// time is the group without one that refuses what both policies refuse. A policy that allows everything only removes.
// When isUnprivileged() the lack of privilege to load is no error.
Result<void> attachDevicePolicy(const std::string& directory, const DevicePolicy& policy);

}  // namespace gantry::runtime
