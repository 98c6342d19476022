// Where the cgroup hierarchies of this host are, and how the files in them read.
//
// Three layouts exist: v1 (one mount per group of controllers), hybrid (v1 controllers, and a cgroup v2 hierarchy
// beside them, usually at /sys/fs/cgroup/unified, that serves processes but few or no controllers), and v2
// (cgroups(7)). Code above asks which hierarchy has a controller rather than which layout it is.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "kernel/fd.hpp"

namespace gantry::kernel {

// One mounted hierarchy.
struct CgroupHierarchy {
  // As /proc/self/cgroup spells it: "cpu,cpuacct", "name=systemd"; empty for cgroup v2.
  std::string name;
  // Controllers that groups of this hierarchy can have. Empty for a named one.
  std::vector<std::string> controllers;
  // "/sys/fs/cgroup/cpu,cpuacct".
  std::string mountPoint;
  // Our own group below the mount point: "" at the top, else "/user.slice/x".
  std::string self;

  bool isV2() const { return name.empty(); }
  bool has(std::string_view controller) const;
  bool operator==(const CgroupHierarchy&) const = default;
};

enum class CgroupMode { V1, Hybrid, V2 };
std::string_view toString(CgroupMode mode);

struct CgroupLayout {
  // v1 hierarchies in the kernel's order, then the v2 one.
  std::vector<CgroupHierarchy> hierarchies;

  // The layout this process sees. NotFound when no hierarchy is mounted.
  static Result<CgroupLayout> detect();
  // The same from the text of /proc/self/mountinfo and /proc/self/cgroup. `readControllers` gives the content of
  // cgroup.controllers for the v2 mount point. A hierarchy mounted several times counts once, where our own group can
  // be reached if there is such a place.
  static Result<CgroupLayout> parse(std::string_view mountInfo, std::string_view procSelfCgroup,
                                    const std::function<std::string(const std::string&)>& readControllers);

  CgroupMode mode() const;
  // The hierarchy where groups have this controller; null when no hierarchy does.
  const CgroupHierarchy* find(std::string_view controller) const;
  // The cgroup v2 hierarchy, with or without controllers; null on a v1 host.
  const CgroupHierarchy* unified() const;

  bool operator==(const CgroupLayout&) const = default;
};

// The content of a one-line file, without the line end. NotFound when the group is gone or has no such file.
Result<std::string> readCgroupText(const Fd& group, const std::string& file);

constexpr std::uint64_t kCgroupMax = std::numeric_limits<std::uint64_t>::max();
// The number in a one-value file; "max" is kCgroupMax.
Result<std::uint64_t> readCgroupNumber(const Fd& group, const std::string& file);
// The lines "key value" of a flat keyed file such as memory.stat (cgroup v2, "Flat keyed").
using CgroupKeys = std::map<std::string, std::uint64_t, std::less<>>;
Result<CgroupKeys> readCgroupKeys(const Fd& group, const std::string& file);
CgroupKeys parseCgroupKeys(std::string_view text);
// The ids in cgroup.procs, tasks or cgroup.threads. Those of another pid namespace read as 0 and are left out.
Result<std::vector<pid_t>> readCgroupIds(const Fd& group, const std::string& file = "cgroup.procs");

// An eventfd that becomes readable when what the v1 file tells of happens ("memory.oom_control": an out-of-memory), and
// when the group is removed (memory.rst, "Notification interface"). Non-blocking.
Result<Fd> watchCgroupEvent(const Fd& group, const std::string& file);

}  // namespace gantry::kernel
