#include "runtime/namespaces.hpp"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>

#include <algorithm>

#include <fmt/format.h>

#include "kernel/clone.hpp"
#include "kernel/file.hpp"

namespace gantry::runtime {
namespace {

Result<kernel::Fd> openNamespace(const oci::Namespace& space, std::uint64_t flag) {
  // Not O_RDWR and not blocking: the path comes from the caller and may be a fifo.
  TRY(kernel::Fd file, kernel::open(space.path, O_RDONLY | O_NONBLOCK));
  const int type = ::ioctl(file.raw(), NS_GET_NSTYPE);
  if (type < 0 || static_cast<std::uint64_t>(type) != flag) {
    return Error(Code::InvalidArgument, fmt::format("'{}' is not a {} namespace", space.path, space.type));
  }
  return file;
}

}  // namespace

std::uint64_t NamespacePlan::cloneFlags() const {
  return fresh & ~std::uint64_t{CLONE_NEWCGROUP | CLONE_NEWTIME};
}

bool NamespacePlan::joins(std::uint64_t flag) const {
  return std::any_of(joined.begin(), joined.end(), [&](const JoinedNamespace& each) { return each.flag == flag; });
}

bool NamespacePlan::needsSecondClone() const {
  return joins(CLONE_NEWPID) || joins(CLONE_NEWUSER) || (makes(CLONE_NEWUSER) && !joined.empty());
}

Result<NamespacePlan> planNamespaces(const std::vector<oci::Namespace>& namespaces) {
  NamespacePlan plan;
  for (std::size_t index = 0; index < namespaces.size(); ++index) {
    const oci::Namespace& space = namespaces[index];
    const std::uint64_t flag = kernel::namespaceFlag(space.type);
    if (space.path.empty()) {
      plan.fresh |= flag;
      continue;
    }
    TRY(kernel::Fd file, openNamespace(space, flag).under(fmt::format("linux.namespaces[{}].path", index)));
    const auto position = flag == CLONE_NEWUSER ? plan.joined.end() : plan.joined.begin();
    plan.joined.insert(position, JoinedNamespace{flag, std::move(file)});
  }
  return plan;
}

Result<void> joinAll(const NamespacePlan& plan) {
  for (const JoinedNamespace& each : plan.joined) TRY_VOID(kernel::joinNamespaces(each.descriptor, each.flag));
  return {};
}

}  // namespace gantry::runtime
