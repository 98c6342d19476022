// The `mounts` of a bundle: sources are opened by the runtime, where host paths mean what the caller meant; targets are
// opened by the container's first process, inside its root, and the mounts attached there by descriptor.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "kernel/fd.hpp"
#include "oci/spec.hpp"
#include "runtime/cgroup.hpp"
#include "runtime/mount_options.hpp"
#include "runtime/root_directory.hpp"

namespace gantry::runtime {

// The container's own group of one hierarchy as a detached mount, for a mount of type "cgroup".
struct CgroupTree {
  CgroupGroup group;
  kernel::Fd tree;
};

struct PreparedMount {
  // In the specification, which must outlive this.
  const oci::Mount* mount = nullptr;
  // "mounts[3]", for errors.
  std::string member;
  MountOptions options;
  // A detached copy of what is to be bound, with its attributes set; empty for a file system to be made.
  kernel::Fd tree;
  bool treeIsDirectory = false;
  // For "idmap" on a file system to be made.
  kernel::Fd userNamespace;
  std::vector<CgroupTree> cgroups;
};

// In the runtime, before clone. Relative sources are relative to `bundle`. Errors name the mount and its source.
Result<std::vector<PreparedMount>> prepareMounts(const oci::Spec& spec, const std::string& bundle,
                                                 const std::vector<CgroupGroup>& cgroups);

// In the container's first process, in its namespaces. `newCgroupNamespace`: a fresh cgroup2 shows the container's own
// group as its root. What has to become read-only only after devices were made is returned.
Result<std::vector<kernel::Fd>> attachMounts(const RootDirectory& root, std::vector<PreparedMount>& mounts,
                                             bool newCgroupNamespace);

// "/a//b/../c" as "/a/c", without asking the file system.
std::string cleanPath(const std::string& path);
// What may be mounted over in /proc, by its clean path: files that engines fake (lxcfs), and nothing else.
bool mayBeMountedInProc(const std::string& cleanDestination);

// Sets attributes on a detached or attached mount as the options ask for.
Result<void> applyAttributes(const kernel::Fd& mount, const MountOptions& options);

}  // namespace gantry::runtime
