// Which namespaces a container gets: new ones by clone flags, existing ones by descriptor.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.hpp"
#include "kernel/fd.hpp"
#include "oci/spec.hpp"

namespace gantry::runtime {

struct JoinedNamespace {
  std::uint64_t flag = 0;
  kernel::Fd descriptor;
};

struct NamespacePlan {
  // CLONE_NEW* of those to be made.
  std::uint64_t fresh = 0;
  // Those to be joined; the user namespace last, because it takes away the right to join the others.
  std::vector<JoinedNamespace> joined;

  // Of `fresh`, what clone makes. The child makes the other two itself: a cgroup namespace's root is the group its
  // maker is in, which must be the container's by then, and a time namespace takes its offsets before anybody is in it.
  std::uint64_t cloneFlags() const;
  bool makes(std::uint64_t flag) const { return (fresh & flag) != 0; }
  bool joins(std::uint64_t flag) const;
  // A pid namespace to join is only entered by being born in it; and with a user namespace, new or joined, beside
  // others that are joined, the process must join those first. Both clone again after joining.
  bool needsSecondClone() const;
};

// Opens the paths. InvalidArgument when one is not a namespace of the type it is given for.
Result<NamespacePlan> planNamespaces(const std::vector<oci::Namespace>& namespaces);

// setns into each of `plan.joined`.
Result<void> joinAll(const NamespacePlan& plan);

}  // namespace gantry::runtime
