// The root file system: an overlay over the image's layers, or without an image the host's own files.
#pragma once

#include <string>
#include <vector>

#include "async/worker_pool.hpp"
#include "isolators/isolator.hpp"
#include "kernel/mount_info.hpp"

namespace gantry::isolators {

// With an image: an overlayfs over its layers is mounted at <runtime directory>/rootfs, with upper and work directory
// in the container's state directory; the sandbox is mounted where the agent says (--sandbox_directory). Nothing of the
// image is looked at by path, so no symlink in it can lead us anywhere.
//
// Without one, as in mesos-agent, the container has the host's files in a mount namespace of its own: "/" alone is
// bound at <runtime directory>/rootfs, and the bundle mounts the host's other file systems into it. (A recursive bind
// of "/" would hold every container's rootfs again, and those double with each container.) /proc, /sys and /dev are the
// container's own. It works in its sandbox, under the host's path.
//
// The program finds its sandbox through MESOS_SANDBOX.
class FilesystemIsolator final : public Isolator {
 public:
  // `sandbox`: where a container with an image sees its sandbox. `containers`: the directory of all containers' runtime
  // directories. Unmounting and deleting is `pool`'s work; it must outlive this.
  FilesystemIsolator(std::string sandbox, std::string containers, async::WorkerPool& pool)
      : sandbox_(std::move(sandbox)), containers_(std::move(containers)), pool_(pool) {}

  std::string_view name() const override { return "filesystem"; }
  Result<void> check(const ContainerRequest& request) const override;
  std::vector<KernelObject> plan(const Container& container) const override;
  async::Task<Result<Contribution>> prepare(ContainerPtr container) override;
  async::Task<Result<void>> cleanup(ContainerPtr container) override;
  std::vector<std::string> leftovers() const override;

 private:
  const std::string sandbox_;
  const std::string containers_;
  async::WorkerPool& pool_;
};

// The mounts that give a container the host's file systems besides "/": bind mounts in the host's order, without what a
// container has for itself (/proc, /sys, /dev), what is below `hidden`, other containers' overlays, and the root file
// system in other places, as the containers of other agents have it: those come and go while a container is made.
std::vector<oci::Mount> hostMounts(const std::vector<kernel::MountEntry>& mounts, const std::string& hidden);

}  // namespace gantry::isolators
