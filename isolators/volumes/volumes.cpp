#include "isolators/volumes/volumes.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "kernel/file.hpp"
#include "kernel/mount_info.hpp"
#include "kernel/node.hpp"

namespace gantry::isolators {
namespace {

using Source = Volume::Source;
using Propagation = Volume::Propagation;

// The parts between slashes; empty ones and "." say nothing and are left out.
std::vector<std::string> components(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (!part.empty() && part != ".") parts.emplace_back(part);
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  }
  return parts;
}

std::string normal(std::string_view path) {
  std::string text;
  for (const std::string& part : components(path)) text += "/" + part;
  return text.empty() ? "/" : text;
}

bool isAbsolute(std::string_view path) {
  return path.starts_with('/');
}

Result<void> checkText(const std::string& field, const std::string& path) {
  if (path.empty()) return Error::invalid(field, "must not be empty");
  if (path.find('\0') != std::string::npos) return Error::invalid(field, "holds a NUL character");
  if (std::ranges::count(components(path), "..") != 0) {
    return Error::invalid(field, fmt::format("'{}' must not contain '..'", path));
  }
  return {};
}

Result<void> checkShared(const std::string& field, const std::string& path) {
  TRY(const auto mounts, kernel::readMountInfo());
  const kernel::MountEntry* holder = nullptr;
  for (const kernel::MountEntry& entry : mounts) {
    const bool holds = kernel::isAtOrBelow(path, entry.mountPoint);
    if (holds && (holder == nullptr || entry.mountPoint.size() >= holder->mountPoint.size())) holder = &entry;
  }
  if (holder != nullptr && holder->shared) return {};
  return Error::invalid(field, fmt::format("bidirectional needs a shared mount, and '{}' is not on one", path));
}

// Words, and the parameters of tmpfs(5) with values that are its own.
Result<void> checkTmpfs(const std::string& field, const Volume& volume) {
  constexpr std::array<std::string_view, 12> kFlags = {"ro",   "rw",     "suid",    "nosuid",   "dev",        "nodev",
                                                       "exec", "noexec", "noatime", "relatime", "nodiratime", "sync"};
  constexpr std::array<std::string_view, 6> kParameters = {"size", "nr_blocks", "nr_inodes", "mode", "uid", "gid"};
  if (!volume.path.empty()) return Error::invalid(field + ".host_path", "a tmpfs has no source");
  if (!isAbsolute(volume.containerPath)) return Error::invalid(field + ".container_path", "must be absolute");
  for (const std::string& option : volume.tmpfsOptions) {
    const std::string_view name = std::string_view(option).substr(0, option.find('='));
    const bool hasValue = name.size() < option.size();
    const bool known = hasValue ? std::ranges::find(kParameters, name) != kParameters.end()
                                : std::ranges::find(kFlags, name) != kFlags.end();
    const bool isPlain = std::ranges::all_of(option.substr(std::min(name.size() + 1, option.size())),
                                             [](unsigned char c) { return std::isalnum(c) != 0 || c == '%'; });
    if (!known || !isPlain) {
      return Error::invalid(field + ".tmpfs_options", fmt::format("'{}' is no option of a tmpfs", option));
    }
  }
  return {};
}

// The one of `roots` that `path` is below; null when there is none.
const std::string* rootOf(const std::string& path, const std::vector<std::string>& roots) {
  for (const std::string& root : roots) {
    if (kernel::isAtOrBelow(normal(path), root)) return &root;
  }
  return nullptr;
}

Result<void> checkVolume(const std::string& field, const Volume& volume, bool hasImage,
                         const std::vector<std::string>& created) {
  TRY_VOID(checkText(field + ".container_path", volume.containerPath));
  const std::string target = normal(volume.containerPath);
  if (isAbsolute(volume.containerPath)) {
    for (const std::string_view kept : {"/proc", "/sys"}) {
      if (kernel::isAtOrBelow(target, kept)) {
        return Error::invalid(field + ".container_path", fmt::format("'{}' is in {}", volume.containerPath, kept));
      }
    }
    if (!hasImage && !kernel::exists(target)) {
      return Error::invalid(field + ".container_path", fmt::format("'{}' does not exist on the host", target));
    }
  }
  if (target == "/") return Error::invalid(field + ".container_path", "must not be the root directory");
  if (volume.source == Source::Tmpfs) return checkTmpfs(field, volume);

  const bool onHost = volume.source == Source::HostPath;
  const std::string source = field + (onHost ? ".host_path" : ".source.sandbox_path");
  TRY_VOID(checkText(source, volume.path));
  if (onHost != isAbsolute(volume.path)) {
    return Error::invalid(source, fmt::format("'{}' must be {}", volume.path, onHost ? "absolute" : "relative"));
  }
  if (onHost && !kernel::exists(volume.path) && rootOf(volume.path, created) == nullptr) {
    return Error::invalid(source, fmt::format("'{}' does not exist", volume.path));
  }
  if (volume.propagation != Propagation::Bidirectional) return {};
  if (!onHost) return Error::invalid(field + ".mount_propagation", "bidirectional is for host paths");
  return checkShared(field + ".mount_propagation", normal(volume.path));
}

// mkdir -p of `path` below `root`, for the root's owner. A symlink on the way is an error: the path is handed on as
// text, and would lead elsewhere.
Result<void> makeBelow(const std::string& root, std::string_view path) {
  constexpr std::uint64_t kResolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  TRY(kernel::Fd directory, kernel::open(root, O_PATH | O_DIRECTORY));
  TRY(const struct stat owner, kernel::statAt(directory, "", AT_EMPTY_PATH));
  for (const std::string& part : components(path)) {
    auto next = kernel::openAt2(directory, part, O_PATH, kResolve);
    if (!next && next.error().code() == Code::NotFound) {
      TRY_VOID(kernel::makeDirectoryAt(directory, part, 0755));
      TRY_VOID(kernel::changeOwnerAt(directory, part, owner.st_uid, owner.st_gid));
      next = kernel::openAt2(directory, part, O_PATH, kResolve);
    }
    TRY(directory, std::move(next));
  }
  return {};
}

std::vector<std::string> mountOptions(const Volume& volume) {
  std::vector<std::string> options{"rbind"};
  switch (volume.propagation) {
    case Propagation::Private:
      options.emplace_back("rprivate");
      break;
    case Propagation::HostToContainer:
      options.emplace_back("rslave");
      break;
    case Propagation::Bidirectional:
      options.emplace_back("rshared");
      break;
  }
  if (volume.readOnly) options.emplace_back("rro");
  return options;
}

oci::Mount tmpfsFor(const Volume& volume) {
  oci::Mount mount{.destination = normal(volume.containerPath), .type = "tmpfs", .source = "tmpfs"};
  mount.options = {"nosuid", "nodev", "noexec"};
  // A later word undoes an earlier one.
  mount.options.insert(mount.options.end(), volume.tmpfsOptions.begin(), volume.tmpfsOptions.end());
  return mount;
}

Result<oci::Mount> mountFor(const Volume& volume, const Container& container, const std::string& sandbox,
                            const std::vector<std::string>& created) {
  if (volume.source == Source::Tmpfs) return tmpfsFor(volume);
  oci::Mount mount{.type = "bind", .options = mountOptions(volume)};
  if (volume.source == Source::HostPath) {
    mount.source = normal(volume.path);
    const std::string* const root = kernel::exists(volume.path) ? nullptr : rootOf(volume.path, created);
    if (root != nullptr) TRY_VOID(makeBelow(*root, std::string_view(mount.source).substr(root->size())));
  } else {
    TRY_VOID(makeBelow(container.sandbox, volume.path));
    mount.source = container.sandbox + normal(volume.path);
  }
  const bool isRelative = !isAbsolute(volume.containerPath);
  mount.destination = (isRelative ? sandbox : "") + normal(volume.containerPath);
  return mount;
}

Result<Contribution> contributionFor(const Container& container, const std::string& sandbox,
                                     const std::vector<std::string>& created) {
  Contribution contribution;
  for (std::size_t i = 0; i < container.request.volumes.size(); ++i) {
    auto mount = mountFor(container.request.volumes[i], container, sandbox, created);
    if (!mount) return std::move(mount).error().under(fmt::format("volumes[{}]", i));
    contribution.mounts.push_back(*std::move(mount));
  }
  return contribution;
}

}  // namespace

Result<void> VolumesIsolator::check(const ContainerRequest& request) const {
  for (std::size_t i = 0; i < request.volumes.size(); ++i) {
    TRY_VOID(checkVolume(fmt::format("volumes[{}]", i), request.volumes[i], request.image.has_value(), created_));
  }
  return {};
}

async::Task<Result<Contribution>> VolumesIsolator::prepare(ContainerPtr container) {
  const bool hasImage = container->request.image.has_value();
  co_return contributionFor(*container, hasImage ? sandbox_ : container->sandbox, created_);
}

async::Task<Result<void>> VolumesIsolator::cleanup(ContainerPtr /*container*/) {
  co_return Result<void>();
}

}  // namespace gantry::isolators
