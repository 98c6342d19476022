#include "isolators/filesystem/overlay.hpp"

#include <fcntl.h>

#include <ranges>

#include <fmt/format.h>

#include "base/log.hpp"
#include "kernel/file.hpp"
#include "kernel/mount.hpp"

namespace gantry::isolators {
namespace {

// Fails with InvalidArgument before Linux 6.5, and for a path above fsconfig's 255 characters.
Result<kernel::Fd> configure(const Overlay& overlay) {
  TRY(auto context, kernel::FsContext::open("overlay"));
  for (const std::string& layer : overlay.layers | std::views::reverse) TRY_VOID(context.set("lowerdir+", layer));
  TRY_VOID(context.set("upperdir", overlay.upper));
  TRY_VOID(context.set("workdir", overlay.work));
  return context.mount(MOUNT_ATTR_NODEV);
}

Result<std::string> asDescriptor(const std::string& path, std::vector<kernel::Fd>& open) {
  TRY(auto directory, kernel::open(path, O_PATH | O_DIRECTORY));
  open.push_back(std::move(directory));
  return fmt::format("/proc/self/fd/{}", open.back().raw());
}

Result<void> mountByDescriptors(const Overlay& overlay, const std::string& target) {
  std::vector<kernel::Fd> open;
  std::string lower;
  for (const std::string& layer : overlay.layers | std::views::reverse) {
    TRY(const std::string path, asDescriptor(layer, open));
    lower += (lower.empty() ? "" : ":") + path;
  }
  TRY(const std::string upper, asDescriptor(overlay.upper, open));
  TRY(const std::string work, asDescriptor(overlay.work, open));
  const std::string options = fmt::format("lowerdir={},upperdir={},workdir={}", lower, upper, work);
  return kernel::mount("overlay", target, "overlay", MS_NODEV, options);
}

}  // namespace

Result<void> mountOverlay(const Overlay& overlay, const std::string& target) {
  ENSURE(!overlay.layers.empty(), "overlayfs needs a lower layer");
  auto mount = configure(overlay);
  if (!mount) {
    log::debug("overlay is mounted in the old way", {{"target", target}, {"reason", mount.error()}});
    return mountByDescriptors(overlay, target);
  }
  TRY(const kernel::Fd directory, kernel::open(target, O_PATH | O_DIRECTORY));
  return kernel::attachMount(*mount, directory);
}

}  // namespace gantry::isolators
