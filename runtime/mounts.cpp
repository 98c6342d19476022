#include "runtime/mounts.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "kernel/file.hpp"
#include "kernel/mount.hpp"
#include "runtime/cgroup_mount.hpp"
#include "runtime/copy_tree.hpp"
#include "runtime/id_maps.hpp"

namespace gantry::runtime {
namespace {

// fsconfig takes values of up to 255 bytes; an overlay's layers need more.
constexpr std::size_t kMaxFsconfigValue = 255;

constexpr std::array<std::string_view, 12> kProcFiles{"/proc/cpuinfo",
                                                      "/proc/diskstats",
                                                      "/proc/meminfo",
                                                      "/proc/stat",
                                                      "/proc/swaps",
                                                      "/proc/uptime",
                                                      "/proc/loadavg",
                                                      "/proc/slabinfo",
                                                      "/proc/net/dev",
                                                      "/proc/sys/kernel/ns_last_pid",
                                                      "/proc/sys/crypto/fips_enabled",
                                                      "/proc/pressure"};

bool isBind(const oci::Mount& mount, const MountOptions& options) {
  return options.bind || mount.type == "bind" || mount.type == "rbind";
}

Result<bool> isProc(const kernel::Fd& file) {
  TRY(const long type, kernel::fileSystemType(file));
  return type == PROC_SUPER_MAGIC;
}

Result<void> applyIdmap(const kernel::Fd& tree, const MountOptions& options, const kernel::Fd& userNamespace) {
  if (!userNamespace) return {};
  struct mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_IDMAP;
  attributes.userns_fd = static_cast<std::uint64_t>(userNamespace.raw());
  return kernel::setMountAttributes(tree, attributes, options.recursiveIdmap ? AT_RECURSIVE : 0U).under("idmap");
}

Result<kernel::Fd> idmapNamespace(const oci::Spec& spec, const oci::Mount& mount, const MountOptions& options) {
  const bool hasOwn = !mount.uidMappings.empty() || !mount.gidMappings.empty();
  if (hasOwn) return makeUserNamespace(mount.uidMappings, mount.gidMappings);
  if (!options.idmap) return kernel::Fd();
  if (!spec.linux || spec.linux->uidMappings.empty()) {
    return Error(Code::InvalidArgument, "'idmap' needs uidMappings, of the mount or of the container");
  }
  return makeUserNamespace(spec.linux->uidMappings, spec.linux->gidMappings);
}

Result<void> prepareBind(PreparedMount& prepared, const std::string& bundle) {
  const oci::Mount& mount = *prepared.mount;
  const std::string source = mount.source.starts_with('/') ? mount.source : fmt::format("{}/{}", bundle, mount.source);
  const bool recursive = prepared.options.recursiveBind || mount.type == "rbind";
  TRY(prepared.tree, kernel::openTree(kernel::workingDirectory(), source,
                                      OPEN_TREE_CLONE | (recursive ? static_cast<unsigned>(AT_RECURSIVE) : 0U)));
  TRY(const struct stat status, kernel::statAt(prepared.tree, "", AT_EMPTY_PATH));
  prepared.treeIsDirectory = S_ISDIR(status.st_mode);
  // A copy of a shared mount would send what the container mounts below it back to the host, unless that was asked for.
  if (prepared.options.propagation == 0) {
    struct mount_attr attributes{};
    attributes.propagation = MS_SLAVE;
    TRY_VOID(kernel::setMountAttributes(prepared.tree, attributes, AT_RECURSIVE));
  }
  TRY_VOID(applyIdmap(prepared.tree, prepared.options, prepared.userNamespace));
  return applyAttributes(prepared.tree, prepared.options);
}

Result<PreparedMount> prepare(const oci::Spec& spec, std::size_t index, const std::string& bundle,
                              const std::vector<CgroupGroup>& cgroups) {
  PreparedMount prepared;
  prepared.mount = &spec.mounts[index];
  prepared.member = fmt::format("mounts[{}] '{}'", index, prepared.mount->destination);
  TRY(prepared.options, parseMountOptions(prepared.mount->options));
  TRY(prepared.userNamespace, idmapNamespace(spec, *prepared.mount, prepared.options));
  if (isBind(*prepared.mount, prepared.options)) {
    TRY_VOID(prepareBind(prepared, bundle));
  } else if (prepared.mount->type == "cgroup" || prepared.mount->type == "cgroup2") {
    TRY(prepared.cgroups, prepareCgroupTrees(cgroups));
  } else if (prepared.mount->type.empty()) {
    return Error(Code::InvalidArgument, "has neither a type nor the option 'bind'");
  }
  return prepared;
}

// mount(2) flags share the low values with MOUNT_ATTR_*; the others are spelled out.
unsigned long classicFlags(std::uint64_t attributes) {
  unsigned long flags = attributes & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC);
  if ((attributes & MOUNT_ATTR_NOATIME) != 0) flags |= MS_NOATIME;
  if ((attributes & MOUNT_ATTR_STRICTATIME) != 0) flags |= MS_STRICTATIME;
  if ((attributes & MOUNT_ATTR_NODIRATIME) != 0) flags |= MS_NODIRATIME;
  if ((attributes & MOUNT_ATTR_NOSYMFOLLOW) != 0) flags |= MS_NOSYMFOLLOW;
  return flags;
}

bool needsClassicMount(const MountOptions& options) {
  return std::any_of(options.data.begin(), options.data.end(),
                     [](const auto& option) { return option.second.size() > kMaxFsconfigValue; });
}

// The working directory is the target, so that this call, too, walks no path.
Result<void> mountClassic(const oci::Mount& mount, const MountOptions& options, const kernel::Fd& target) {
  std::string data;
  for (const auto& [key, value] : options.data) {
    if (!data.empty()) data += ',';
    data += value.empty() ? key : fmt::format("{}={}", key, value);
  }
  if (::fchdir(target.raw()) != 0) return Error::fromErrno(errno, "enter the mount's target");
  return kernel::mount(mount.source, ".", mount.type, classicFlags(options.set), data);
}

Result<kernel::Fd> makeFileSystem(const oci::Mount& mount, const MountOptions& options) {
  TRY(auto context, kernel::FsContext::open(mount.type));
  if (!mount.source.empty()) TRY_VOID(context.set("source", mount.source));
  for (const auto& [key, value] : options.data) {
    TRY_VOID(value.empty() ? context.setFlag(key) : context.set(key, value));
  }
  return context.mount(options.set);
}

// Symlinks inside the root are followed for any target but that of /proc and /sys: an image that points them elsewhere
// wants us to trust files that it made (CVE-2019-19921 and its successors).
Result<kernel::Fd> openTarget(const RootDirectory& root, const PreparedMount& prepared) {
  const oci::Mount& mount = *prepared.mount;
  if (prepared.tree && !prepared.treeIsDirectory) return root.openOrMakeFile(mount.destination);
  const bool isKernelTree = mount.type == "proc" || mount.type == "sysfs";
  if (isKernelTree) {
    auto plain = kernel::openAt2(root.fd(), mount.destination, O_PATH | O_DIRECTORY,
                                 RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
    if (plain || plain.error().code() != Code::NotFound) {
      return std::move(plain).under(fmt::format("{} must be mounted on an ordinary directory", mount.type));
    }
  }
  return root.openOrMakeDirectory(mount.destination);
}

// A tmpfs looks like the directory it covers, unless its options or the missing directory leave that to the kernel
// (runc does the same, and images count on it for /tmp).
Result<void> takeOverMode(const oci::Mount& mount, const RootDirectory& root, MountOptions& options) {
  if (mount.type != "tmpfs") return {};
  const auto covered = root.open(mount.destination, O_PATH | O_DIRECTORY);
  if (!covered) {
    options.copyUp = false;
    return {};
  }
  const auto isMode = [](const auto& option) { return option.first == "mode"; };
  if (std::any_of(options.data.begin(), options.data.end(), isMode)) return {};
  TRY(const struct stat status, kernel::statAt(*covered, "", AT_EMPTY_PATH));
  options.data.emplace_back("mode", fmt::format("{:o}", status.st_mode & 07777U));
  return {};
}

Result<void> checkProcTarget(const PreparedMount& prepared, const kernel::Fd& target) {
  const std::string destination = cleanPath(prepared.mount->destination);
  if (destination == "/proc") {
    if (prepared.mount->type == "proc") return {};
    if (prepared.tree) {
      TRY(const bool boundProc, isProc(prepared.tree));
      if (boundProc) return {};
    }
    return Error(Code::InvalidArgument, "only a proc file system may be mounted on /proc");
  }
  TRY(const bool insideProc, isProc(target));
  if (insideProc && !mayBeMountedInProc(destination)) {
    return Error(Code::InvalidArgument, "is inside /proc, where nothing may be mounted");
  }
  return {};
}

Result<void> attach(const RootDirectory& root, PreparedMount& prepared, std::vector<kernel::Fd>& becomeReadOnly) {
  const oci::Mount& mount = *prepared.mount;
  MountOptions options = prepared.options;
  TRY_VOID(takeOverMode(mount, root, options));
  TRY(const kernel::Fd target, openTarget(root, prepared));
  TRY_VOID(checkProcTarget(prepared, target));
  if (prepared.tree) return kernel::attachMount(prepared.tree, target);
  if (needsClassicMount(options)) return mountClassic(mount, options, target);

  const bool makesDevicesLater = cleanPath(mount.destination) == "/dev" && (options.set & MOUNT_ATTR_RDONLY) != 0;
  if (makesDevicesLater) options.set &= ~std::uint64_t{MOUNT_ATTR_RDONLY};
  TRY(kernel::Fd made, makeFileSystem(mount, options));
  if (options.copyUp) TRY_VOID(copyTree(target, made).under("tmpcopyup"));
  TRY_VOID(applyIdmap(made, options, prepared.userNamespace));
  if (options.propagation != 0 || options.recursiveSet != 0) TRY_VOID(applyAttributes(made, options));
  TRY_VOID(kernel::attachMount(made, target));
  if (makesDevicesLater) becomeReadOnly.push_back(std::move(made));
  return {};
}

}  // namespace

Result<void> applyAttributes(const kernel::Fd& mount, const MountOptions& options) {
  if (options.set != 0 || options.clear != 0) {
    struct mount_attr attributes{};
    attributes.attr_set = options.set;
    attributes.attr_clr = options.clear;
    TRY_VOID(kernel::setMountAttributes(mount, attributes));
  }
  if (options.recursiveSet != 0 || options.recursiveClear != 0) {
    struct mount_attr attributes{};
    attributes.attr_set = options.recursiveSet;
    attributes.attr_clr = options.recursiveClear;
    TRY_VOID(kernel::setMountAttributes(mount, attributes, AT_RECURSIVE));
  }
  if (options.propagation != 0) {
    struct mount_attr attributes{};
    attributes.propagation = options.propagation;
    TRY_VOID(kernel::setMountAttributes(mount, attributes, options.recursivePropagation ? AT_RECURSIVE : 0U));
  }
  return {};
}

Result<std::vector<PreparedMount>> prepareMounts(const oci::Spec& spec, const std::string& bundle,
                                                 const std::vector<CgroupGroup>& cgroups) {
  std::vector<PreparedMount> mounts;
  mounts.reserve(spec.mounts.size());
  for (std::size_t index = 0; index < spec.mounts.size(); ++index) {
    TRY(PreparedMount prepared, prepare(spec, index, bundle, cgroups)
                                    .under(fmt::format("mounts[{}] '{}'", index, spec.mounts[index].destination)));
    mounts.push_back(std::move(prepared));
  }
  return mounts;
}

Result<std::vector<kernel::Fd>> attachMounts(const RootDirectory& root, std::vector<PreparedMount>& mounts,
                                             bool newCgroupNamespace) {
  std::vector<kernel::Fd> becomeReadOnly;
  for (PreparedMount& prepared : mounts) {
    if (!prepared.cgroups.empty()) {
      TRY_VOID(attachCgroups(root, prepared, newCgroupNamespace).under(prepared.member));
    } else {
      TRY_VOID(attach(root, prepared, becomeReadOnly).under(prepared.member));
    }
  }
  return becomeReadOnly;
}

std::string cleanPath(const std::string& path) {
  std::vector<std::string_view> parts;
  for (std::string_view rest = path; !rest.empty();) {
    const auto slash = rest.find('/');
    const std::string_view part = rest.substr(0, slash);
    rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else if (!part.empty() && part != ".") {
      parts.push_back(part);
    }
  }
  std::string clean;
  for (const std::string_view part : parts) clean += fmt::format("/{}", part);
  return clean.empty() ? "/" : clean;
}

bool mayBeMountedInProc(const std::string& cleanDestination) {
  return std::find(kProcFiles.begin(), kProcFiles.end(), cleanDestination) != kProcFiles.end();
}

}  // namespace gantry::runtime
