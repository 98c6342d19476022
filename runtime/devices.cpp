#include "runtime/devices.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <cerrno>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "kernel/file.hpp"
#include "kernel/mount.hpp"
#include "runtime/mounts.hpp"

namespace gantry::runtime {
namespace {

struct DefaultDevice {
  std::string_view path;
  unsigned major;
  unsigned minor;
};

constexpr std::array<DefaultDevice, 6> kDefaultDevices{{
    {"/dev/null", 1, 3},
    {"/dev/zero", 1, 5},
    {"/dev/full", 1, 7},
    {"/dev/tty", 5, 0},
    {"/dev/random", 1, 8},
    {"/dev/urandom", 1, 9},
}};

constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kLinks{{
    {"fd", "/proc/self/fd"},
    {"stdin", "/proc/self/fd/0"},
    {"stdout", "/proc/self/fd/1"},
    {"stderr", "/proc/self/fd/2"},
    {"core", "/proc/kcore"},
}};

mode_t typeBits(const oci::Device& device) {
  if (device.type == "b") return S_IFBLK;
  return device.type == "p" ? S_IFIFO : S_IFCHR;
}

Result<void> makeNode(const RootDirectory& root, const oci::Device& device) {
  TRY(const RootDirectory::Entry entry, root.openParent(device.path));
  const dev_t number =
      device.type == "p" ? 0 : makedev(static_cast<unsigned>(device.major), static_cast<unsigned>(device.minor));
  const mode_t mode = typeBits(device) | (device.fileMode.value_or(0666) & 07777U);
  if (::mknodat(entry.directory.raw(), entry.name.c_str(), mode, number) != 0) {
    if (errno != EEXIST) return Error::fromErrno(errno, fmt::format("make '{}'", device.path));
    TRY(const struct stat there, kernel::statAt(entry.directory, entry.name, AT_SYMLINK_NOFOLLOW));
    const bool same = (there.st_mode & S_IFMT) == typeBits(device) && there.st_rdev == number;
    if (!same) return Error::fromErrno(EEXIST, fmt::format("make '{}'", device.path));
  }
  if (device.uid.value_or(0) == 0 && device.gid.value_or(0) == 0) return {};
  if (::fchownat(entry.directory.raw(), entry.name.c_str(), device.uid.value_or(0), device.gid.value_or(0),
                 AT_SYMLINK_NOFOLLOW) != 0) {
    return Error::fromErrno(errno, fmt::format("change the owner of '{}'", device.path));
  }
  return {};
}

Result<void> bindNode(const RootDirectory& root, const oci::Device& device) {
  TRY(const kernel::Fd node, kernel::openTree(kernel::workingDirectory(), device.path, OPEN_TREE_CLONE));
  TRY(const struct stat status, kernel::statAt(node, "", AT_EMPTY_PATH));
  if ((status.st_mode & S_IFMT) != typeBits(device)) {
    return Error(Code::InvalidArgument, fmt::format("the host's '{}' is another kind of file", device.path));
  }
  TRY(const kernel::Fd target, root.openOrMakeFile(device.path));
  return kernel::attachMount(node, target).under(device.path);
}

// The image may bring a /dev/ptmx of its own, which would be the host's.
Result<void> linkPtmx(const kernel::Fd& dev) {
  const auto target = kernel::readLinkAt(dev, "ptmx");
  if (target && *target == "pts/ptmx") return {};
  const auto removed = kernel::unlinkAt(dev, "ptmx");
  if (!removed && removed.error().code() != Code::NotFound) return removed;
  return kernel::symlinkAt("pts/ptmx", dev, "ptmx");
}

}  // namespace

std::vector<oci::Device> devicesOf(const oci::Spec& spec) {
  std::vector<oci::Device> devices;
  for (const DefaultDevice& each : kDefaultDevices) {
    oci::Device device;
    device.path = each.path;
    device.type = "c";
    device.major = each.major;
    device.minor = each.minor;
    devices.push_back(std::move(device));
  }
  if (!spec.linux) return devices;
  for (const oci::Device& wanted : spec.linux->devices) {
    std::erase_if(devices, [&](const oci::Device& other) { return other.path == wanted.path; });
    devices.push_back(wanted);
    if (devices.back().type == "u") devices.back().type = "c";
  }
  return devices;
}

bool makesDevices(const oci::Spec& spec) {
  return std::none_of(spec.mounts.begin(), spec.mounts.end(), [](const oci::Mount& mount) {
    if (cleanPath(mount.destination) != "/dev") return false;
    const auto isBindWord = [](const std::string& option) { return option == "bind" || option == "rbind"; };
    return mount.type == "bind" || std::any_of(mount.options.begin(), mount.options.end(), isBindWord);
  });
}

Result<void> makeDevices(const RootDirectory& root, const std::vector<oci::Device>& devices, bool inUserNamespace) {
  for (const oci::Device& device : devices) {
    // The console is a pseudo-terminal's end, and /dev/ptmx a symlink into the container's own devpts.
    if (device.path == "/dev/console" || device.path == "/dev/ptmx") continue;
    auto made = inUserNamespace ? bindNode(root, device) : makeNode(root, device);
    // The runtime itself is in a user namespace.
    if (!made && made.error().number() == EPERM) made = bindNode(root, device);
    TRY_VOID(std::move(made));
  }
  return {};
}

Result<void> makeDeviceLinks(const RootDirectory& root) {
  TRY(const kernel::Fd dev, root.openOrMakeDirectory("/dev"));
  for (const auto& [name, target] : kLinks) {
    auto made = kernel::symlinkAt(std::string(target), dev, std::string(name));
    if (!made && made.error().code() != Code::AlreadyExists) return made;
  }
  return linkPtmx(dev);
}

}  // namespace gantry::runtime
