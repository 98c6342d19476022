// What the members of linux.resources are called in cgroup files: policy to mechanism, without touching a file.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "oci/spec.hpp"

namespace gantry::runtime {

// One write to one file of a group.
struct CgroupSetting {
  // "memory.limit_in_bytes".
  std::string file;
  std::string value;
  // Who asked for it: "linux.resources.memory.limit".
  std::string member;
  // Written only where the kernel has the file; the member is enforced without it.
  bool optional = false;
  // A number that the kernel may take and ignore (memory.kmem.limit_in_bytes since Linux 5.16): read it back.
  bool mayBeIgnored = false;

  bool operator==(const CgroupSetting&) const = default;
};

// Those of one controller, in the order in which a new group takes them.
struct ControllerSettings {
  std::string controller;
  std::vector<CgroupSetting> settings;

  bool operator==(const ControllerSettings&) const = default;
};

enum class CgroupVersion { V1, V2 };

// What the translation asks about the host.
struct CgroupFacts {
  // Where groups have a controller; Unsupported when they cannot have it.
  std::function<Result<CgroupVersion>(std::string_view controller)> versionOf;
  // What a file of the group holds now; "" when it cannot be read. For members that share a file with others.
  std::function<std::string(std::string_view controller, const std::string& file)> current;
  // Whether the kernel can swap at all; where it cannot, memory without swap is enforced already.
  bool hasSwap = true;
};

// Everything in `resources` but its devices. A member that is zero where zero means nothing (shares, quota, weight, …:
// engines write those for "not asked") is left out. InvalidArgument and Unsupported name the member.
Result<std::vector<ControllerSettings>> translateResources(const oci::Resources& resources, const CgroupFacts& facts);

// cpu.weight for cpu.shares: the curve through (2, 1), (1024, 100) and (262144, 10000), so that the kernel's two
// defaults stand for each other.
unsigned weightFromShares(unsigned long long shares);

}  // namespace gantry::runtime
