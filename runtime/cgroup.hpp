// The cgroups of one container: one group per mounted hierarchy, at the same path in each.
//
//   create:  Cgroup::create(layout, path, resources)  ->  groups exist and hold the limits, no process is in them
//            join()                                   ->  descriptors, opened by the parent
//            clone3(… CLONE_INTO_CGROUP, intoCgroup)  ->  the child is born in the v2 group
//            child: enter()                           ->  and moves itself into the v1 groups; then unshare(NEWCGROUP)
//   state:   Cgroup(state) with what state() gave, from the state file; touches nothing
//   exec:    join(init) and the same two steps
//   delete:  kill(), remove()
//
// Joining never waits: writing another process's pid to cgroup.procs takes a lock that costs some 11 ms on an idle
// machine, while CLONE_INTO_CGROUP (Linux 5.7) and a thread that moves itself by writing "0" to a v1 `tasks` do not.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "kernel/cgroup.hpp"
#include "kernel/fd.hpp"
#include "oci/spec.hpp"

namespace gantry::runtime {

// A container's group in one hierarchy; what the state file keeps of it.
struct CgroupGroup {
  // As kernel::CgroupHierarchy::name: "cpu,cpuacct", "name=systemd"; empty for cgroup v2.
  std::string hierarchy;
  // "/sys/fs/cgroup/cpu,cpuacct"; its last component is how the hierarchy is called inside a container.
  std::string mountPoint;
  // Absolute path of the group.
  std::string directory;

  bool isV2() const { return hierarchy.empty(); }
  bool operator==(const CgroupGroup&) const = default;
};

// What a new child needs to become a member. Made by the parent; used once, in the child.
class CgroupJoin {
 public:
  // For clone_args.cgroup with CLONE_INTO_CGROUP; empty on a host without cgroup v2.
  const kernel::Fd& intoCgroup() const { return unified_; }
  // Only in a single-threaded child right after clone, before it leaves the cgroup or mount namespace: moves the caller
  // into the v1 groups. Returns 0 or the errno. Only makes system calls.
  int enter() const;

 private:
  friend class Cgroup;

  kernel::Fd unified_;
  std::vector<kernel::Fd> tasks_;
};

// Single-threaded programs only, as everything in runtime/.
class Cgroup {
 public:
  // `path` is linux.cgroupsPath: absolute is below each hierarchy's mount point, relative is below our own group;
  // empty is "/<id>". Makes the groups with missing parents, enables v2 controllers along the way, and applies
  // `resources`. A hierarchy in which we may not make groups (an unprivileged user) is left out unless `resources`
  // needs it.
  //
  // InvalidArgument and Unsupported name the member: "linux.resources.memory.swap: …". Busy when a group of that path,
  // or one below it, already holds processes, and when it is frozen. After a failure the groups that were made here are
  // gone again.
  static Result<Cgroup> create(const kernel::CgroupLayout& layout, const std::string& path, const std::string& id,
                               const oci::Resources& resources);
  // The groups of a container that exists.
  explicit Cgroup(std::vector<CgroupGroup> groups) : groups_(std::move(groups)) {}

  // For the state file, and for mounting cgroup file systems in the container. v1 hierarchies first, v2 last.
  const std::vector<CgroupGroup>& state() const { return groups_; }

  // For a new process. `init` is the container's first process when there is one: where it made child groups and
  // enabled controllers for them (v2 then forbids processes beside them), a new process joins the group that init is
  // in.
  Result<CgroupJoin> join(pid_t init = 0) const;

  // Applies what is set in `resources` and leaves the rest. An error names the member; members before it are applied.
  Result<void> update(const oci::Resources& resources) const;

  // Processes of the group and of all groups below it.
  Result<std::vector<pid_t>> pids() const;
  // Sends the signal to each of them; SIGKILL kills them all, new ones included. Frozen ones are thawed by SIGKILL
  // only.
  Result<void> signal(int number) const;
  // SIGKILL, see signal(). Returns before they have ended.
  Result<void> kill() const;

  // Returns once every process has stopped (or runs again). Unsupported when neither a v1 freezer nor cgroup v2 is
  // there; Timeout when a process in an uninterruptible wait does not freeze; then all are thawed again.
  Result<void> freeze() const;
  Result<void> thaw() const;
  // Frozen or about to be, itself or by a group above it: whoever waits for a process of it may wait without end.
  Result<bool> isFrozen() const;

  // Removes the groups and those below them. Waits while ended processes leave; Busy after `patience`. Groups that are
  // gone already are success.
  Result<void> remove(std::chrono::milliseconds patience = std::chrono::seconds(5)) const;

 private:
  // Null when there is none. The freezer is v1's where there is one, else the v2 group.
  const CgroupGroup* unified() const;
  const CgroupGroup* freezer() const;
  // Whether the last process of the freezer's group has stopped.
  static Result<bool> hasStopped(const CgroupGroup& freezer);

  std::vector<CgroupGroup> groups_;
};

}  // namespace gantry::runtime
