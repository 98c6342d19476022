#include "isolators/security/host_devices.hpp"

#include <fcntl.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "kernel/file.hpp"

namespace gantry::isolators {
namespace {

// Nobody nests devices deeper; /dev/bus/usb/001/002 is four.
constexpr int kDeepest = 8;
constexpr std::array<std::string_view, 6> kOwn{"console", "ptmx", "pts", "shm", "mqueue", "fd"};

Result<void> collect(const std::string& directory, int depth, std::vector<oci::Device>& into) {
  TRY(const std::vector<std::string> names, kernel::listDirectory(directory));
  for (const std::string& name : names) {
    if (depth == 0 && std::find(kOwn.begin(), kOwn.end(), name) != kOwn.end()) continue;
    const std::string path = fmt::format("{}/{}", directory, name);
    const auto status = kernel::statAt(kernel::workingDirectory(), path, AT_SYMLINK_NOFOLLOW);
    // A device may be unplugged while we look.
    if (!status) continue;
    if (S_ISDIR(status->st_mode) && depth < kDeepest) TRY_VOID(collect(path, depth + 1, into));
    if (!S_ISCHR(status->st_mode) && !S_ISBLK(status->st_mode)) continue;
    oci::Device device;
    device.path = path;
    device.type = S_ISCHR(status->st_mode) ? "c" : "b";
    device.major = ::gnu_dev_major(status->st_rdev);
    device.minor = ::gnu_dev_minor(status->st_rdev);
    device.fileMode = status->st_mode & 07777U;
    device.uid = status->st_uid;
    device.gid = status->st_gid;
    into.push_back(std::move(device));
  }
  return {};
}

}  // namespace

Result<std::vector<oci::Device>> hostDevices(const std::string& directory) {
  std::vector<oci::Device> devices;
  TRY_VOID(collect(directory, 0, devices));
  std::sort(devices.begin(), devices.end(),
            [](const oci::Device& one, const oci::Device& other) { return one.path < other.path; });
  return devices;
}

}  // namespace gantry::isolators
