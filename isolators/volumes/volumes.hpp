// Volumes: directories and files of the host and of the container's own sandbox, and file systems in memory, mounted
// where the request says.
#pragma once

#include <string>
#include <vector>

#include "isolators/isolator.hpp"

namespace gantry::isolators {

// The rules are those of Mesos (reference: containerizer, section 9):
//
// - A host path is absolute and exists, or is made where the operator allows that; a sandbox path is relative to the
// sandbox and made when missing.
// - A container path is absolute, or relative to the sandbox. Neither may have a component "..".
// - Nothing is mounted on /proc, /sys or what is below them, nor on "/" itself.
// - Without an image the container has the host's files: an absolute container path must exist.
// - Read-only volumes are so with everything mounted below them.
// - Bidirectional propagation needs a host path that is on a shared mount.
// - A tmpfs has the options that tmpfs(5) knows; it is mounted at an absolute container path.
//
// Volumes that point into the sandbox are found without following a symlink out of it, since the container writes
// there. Makes directories in the sandbox, which go with it,
// and those host paths, which stay.
class VolumesIsolator final : public Isolator {
 public:
  // `sandbox`: where a container with an image sees its sandbox; absolute. `created`: directories below which a host
  // path is made when it is missing, for the directory's owner; without a slash at their end.
  explicit VolumesIsolator(std::string sandbox, std::vector<std::string> created = {})
      : sandbox_(std::move(sandbox)), created_(std::move(created)) {}

  std::string_view name() const override { return "volumes"; }
  bool needsImage() const override { return false; }
  Result<void> check(const ContainerRequest& request) const override;
  async::Task<Result<Contribution>> prepare(ContainerPtr container) override;
  async::Task<Result<void>> cleanup(ContainerPtr container) override;

 private:
  const std::string sandbox_;
  const std::vector<std::string> created_;
};

}  // namespace gantry::isolators
