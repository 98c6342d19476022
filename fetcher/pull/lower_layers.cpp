#include "fetcher/pull/lower_layers.hpp"

#include <fcntl.h>
#include <linux/openat2.h>

#include <cerrno>
#include <ranges>

#include <fmt/format.h>

#include "kernel/file.hpp"
#include "kernel/node.hpp"

namespace gantry::fetcher {
namespace {

constexpr std::uint64_t kBeneath = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;

bool isWhiteout(const struct stat& status) {
  return S_ISCHR(status.st_mode) && status.st_rdev == 0;
}

Result<std::optional<struct stat>> lookAt(const kernel::Fd& directory, const std::string& name) {
  auto status = kernel::statAt(directory, name, AT_SYMLINK_NOFOLLOW);
  if (status) return std::optional(*status);
  if (status.error().number() == ENOENT) return std::optional<struct stat>();
  return std::move(status).error();
}

Result<bool> isOpaque(const kernel::Fd& directory) {
  TRY(const auto value, kernel::readAttribute(directory, "trusted.overlay.opaque"));
  return value == "y";
}

Result<void> copyAttributes(const kernel::Fd& from, const kernel::Fd& to) {
  TRY(const auto names, kernel::listAttributes(from));
  for (const std::string& name : names) {
    if (name.starts_with("trusted.")) continue;
    TRY(const auto value, kernel::readAttribute(from, name));
    if (value) TRY_VOID(kernel::setAttribute(to, name, *value));
  }
  return {};
}

Result<void> copyMetadata(const kernel::Fd& from, const struct stat& status, const kernel::Fd& to) {
  TRY_VOID(kernel::changeOwnerAt(to, "", status.st_uid, status.st_gid));
  TRY_VOID(kernel::changeMode(to, status.st_mode & 07777));
  TRY_VOID(copyAttributes(from, to));
  return kernel::setTimesAt(to, "", status.st_mtim);
}

// Only what the file really holds is copied: its size may be anything.
Result<void> copyFile(const kernel::Fd& fromParent, const std::string& fromName, const struct stat& status,
                      const kernel::Fd& toParent, const std::string& toName, Bytes& left) {
  TRY(const kernel::Fd from, kernel::openAt(fromParent, fromName, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  TRY(const kernel::Fd to, kernel::openAt(toParent, toName, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  std::vector<char> buffer(256U << 10U);
  std::uint64_t offset = 0;
  while (true) {
    TRY(const auto data, kernel::nextData(from, offset));
    if (!data) break;
    offset = data->begin;
    const std::size_t wanted = std::min<std::uint64_t>(buffer.size(), data->end - offset);
    TRY(const std::size_t count, kernel::readAt(from, buffer.data(), wanted, offset));
    if (count == 0) break;
    if (count > left.count) return Error(Code::Exhausted, "the copies for hard links to lower layers are too large");
    left.count -= count;
    for (std::size_t done = 0; done < count;) {
      TRY(const std::size_t written,
          kernel::writeAt(to, std::string_view(buffer.data() + done, count - done), offset + done));
      done += written;
    }
    offset += count;
  }
  TRY_VOID(kernel::truncate(to, static_cast<std::uint64_t>(status.st_size)));
  return copyMetadata(from, status, to);
}

Result<void> copyNode(const kernel::Fd& fromParent, const std::string& fromName, const struct stat& status,
                      const kernel::Fd& toParent, const std::string& toName, Bytes& left) {
  if (S_ISDIR(status.st_mode)) return Error(Code::InvalidArgument, "is a hard link to a directory");
  if (S_ISREG(status.st_mode)) return copyFile(fromParent, fromName, status, toParent, toName, left);
  if (S_ISLNK(status.st_mode)) {
    TRY(const std::string target, kernel::readLinkAt(fromParent, fromName));
    TRY_VOID(kernel::symlinkAt(target, toParent, toName));
  } else {
    TRY_VOID(kernel::makeNodeAt(toParent, toName, status.st_mode & (S_IFMT | 07777), status.st_rdev));
  }
  TRY_VOID(kernel::changeOwnerAt(toParent, toName, status.st_uid, status.st_gid));
  if (!S_ISLNK(status.st_mode)) TRY_VOID(kernel::changeModeAt(toParent, toName, status.st_mode & 07777));
  return kernel::setTimesAt(toParent, toName, status.st_mtim);
}

Result<kernel::Fd> openDirectory(const kernel::Fd& layer, const std::string& path) {
  return kernel::openAt2(layer, path.empty() ? "." : path, O_RDONLY | O_DIRECTORY, kBeneath);
}

Result<void> markOpaque(const kernel::Fd& parent, const std::string& name) {
  TRY(const kernel::Fd directory, openDirectory(parent, name));
  return kernel::setAttribute(directory, "trusted.overlay.opaque", "y");
}

// Moves all that is in `from` into `to`, directories into directories; what is moved wins over what was there, except
// that a whiteout spares what its own layer has.
Result<void> moveContent(const kernel::Fd& from, const kernel::Fd& to) {
  TRY(const auto names, kernel::listDirectory(from));
  for (const std::string& name : names) {
    TRY(const auto moved, lookAt(from, name));
    TRY(const auto present, lookAt(to, name));
    if (!moved) continue;
    if (present && isWhiteout(*moved)) {
      if (S_ISDIR(present->st_mode)) TRY_VOID(markOpaque(to, name));
      TRY_VOID(kernel::unlinkAt(from, name));
      continue;
    }
    if (present && S_ISDIR(present->st_mode) && S_ISDIR(moved->st_mode)) {
      TRY(const kernel::Fd fromChild, openDirectory(from, name));
      TRY(const kernel::Fd toChild, openDirectory(to, name));
      TRY_VOID(moveContent(fromChild, toChild));
      TRY_VOID(copyMetadata(fromChild, *moved, toChild));
      TRY_VOID(kernel::unlinkAt(from, name, AT_REMOVEDIR));
      continue;
    }
    if (present) TRY_VOID(kernel::removeTreeAt(to, name));
    TRY_VOID(kernel::renameNoReplaceAt(from, name, to, name));
    if (present && isWhiteout(*present) && S_ISDIR(moved->st_mode)) TRY_VOID(markOpaque(to, name));
  }
  return {};
}

// Where `target`, the text of a symlink in the directory of `link`, leads, word by word.
LayerPath leadsTo(const LayerPath& link, std::string_view target) {
  LayerPath path;
  if (!target.starts_with('/')) path.parts.assign(link.parts.begin(), link.parts.end() - 1);
  while (!target.empty()) {
    const auto slash = target.find('/');
    const auto part = target.substr(0, slash);
    target.remove_prefix(slash == std::string_view::npos ? target.size() : slash + 1);
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      path.parts.emplace_back(part);
    } else if (!path.parts.empty()) {
      path.parts.pop_back();
    }
  }
  return path;
}

// As the kernel counts (MAXSYMLINKS).
constexpr int kMaxLinks = 40;

}  // namespace

Result<void> LowerLayers::complete(const kernel::Fd& layer, const LayerNeeds& needs) {
  copies_.clear();
  for (const LayerNeeds::Link& link : needs.links) {
    TRY(const LayerPath path, parseLayerPath(link.path));
    TRY(const LayerPath target, parseLayerPath(link.target));
    if (path.isRoot() || target.isRoot()) return Error(Code::InvalidArgument, "a hard link to or from the root");
    TRY_VOID(materialise(layer, path, target).under(quoted(link.path)));
  }
  for (const std::string& directory : needs.directories) {
    TRY(const LayerPath path, parseLayerPath(directory));
    if (!path.isRoot()) TRY_VOID(completeDirectory(layer, path).under(quoted(directory)));
  }
  return {};
}

Result<std::optional<LayerPath>> LowerLayers::resolveDirectory(const LayerPath& path, int links) const {
  LayerPath resolved;
  for (std::size_t i = 0; i < path.parts.size(); ++i) {
    resolved.parts.push_back(path.parts[i]);
    TRY(const auto below, find(resolved));
    if (!below) return std::optional<LayerPath>();
    if (S_ISDIR(below->status.st_mode)) continue;
    if (!S_ISLNK(below->status.st_mode) || links == kMaxLinks) return std::optional<LayerPath>();
    TRY(const std::string target, kernel::readLinkAt(below->parent, resolved.leaf()));
    LayerPath rest = leadsTo(resolved, target);
    rest.parts.insert(rest.parts.end(), path.parts.begin() + static_cast<std::ptrdiff_t>(i) + 1, path.parts.end());
    return resolveDirectory(rest, links + 1);
  }
  return std::optional(std::move(resolved));
}

Result<void> LowerLayers::completeDirectory(const kernel::Fd& layer, const LayerPath& path) const {
  auto from = openDirectory(layer, path.text());
  // It has moved with what stood above it.
  if (!from && from.error().code() == Code::NotFound) return {};
  if (!from) return std::move(from).error();
  TRY(const auto below, find(path));
  if (!below || !S_ISLNK(below->status.st_mode)) return inheritMetadata(layer, path);

  TRY(const auto place, resolveDirectory(path));
  // A symlink to nothing is replaced, as it would be by a directory that the layer mentions.
  if (!place || place->isRoot()) return {};
  TRY(const kernel::Fd parent, openDirectory(layer, path.parent()));
  TRY(const struct stat parentBefore, kernel::statAt(parent, "", AT_EMPTY_PATH));
  TRY_VOID(makeDirectories(layer, *place));
  TRY(const kernel::Fd to, openDirectory(layer, place->text()));
  TRY(const struct stat before, kernel::statAt(to, "", AT_EMPTY_PATH));
  TRY_VOID(moveContent(*from, to));
  TRY_VOID(kernel::setTimesAt(to, "", before.st_mtim));
  TRY_VOID(kernel::unlinkAt(parent, path.leaf(), AT_REMOVEDIR));
  return kernel::setTimesAt(parent, "", parentBefore.st_mtim);
}

// Each missing part with the metadata it has below.
Result<void> LowerLayers::makeDirectories(const kernel::Fd& layer, const LayerPath& path) const {
  LayerPath made;
  for (const std::string& part : path.parts) {
    TRY(const kernel::Fd parent, openDirectory(layer, made.text()));
    TRY(const struct stat before, kernel::statAt(parent, "", AT_EMPTY_PATH));
    made.parts.push_back(part);
    TRY(const auto present, lookAt(parent, part));
    if (present) continue;
    TRY_VOID(kernel::makeDirectoryAt(parent, part, 0755));
    TRY_VOID(inheritMetadata(layer, made));
    TRY_VOID(kernel::setTimesAt(parent, "", before.st_mtim));
  }
  return {};
}

Result<std::optional<LowerLayers::Found>> LowerLayers::find(const LayerPath& path) const {
  const auto nowhere = [] { return std::optional<Found>(); };
  for (const kernel::Fd& layer : layers_ | std::views::reverse) {
    TRY(kernel::Fd directory, openDirectory(layer, ""));
    bool hidesLower = false;
    bool isPresent = true;
    for (std::size_t i = 0; i + 1 < path.parts.size() && isPresent; ++i) {
      TRY(const auto status, lookAt(directory, path.parts[i]));
      isPresent = status.has_value();
      if (!isPresent) break;
      if (!S_ISDIR(status->st_mode)) return nowhere();
      TRY(directory, openDirectory(directory, path.parts[i]));
      TRY(const bool opaque, isOpaque(directory));
      hidesLower = hidesLower || opaque;
    }
    if (isPresent) {
      TRY(const auto status, lookAt(directory, path.leaf()));
      if (status) {
        if (isWhiteout(*status)) return nowhere();
        return std::optional(Found{std::move(directory), *status});
      }
    }
    if (hidesLower) return nowhere();
  }
  return nowhere();
}

Result<void> LowerLayers::inheritMetadata(const kernel::Fd& layer, const LayerPath& path) const {
  TRY(const auto below, find(path));
  if (!below || !S_ISDIR(below->status.st_mode)) return {};
  TRY(const kernel::Fd from, openDirectory(below->parent, path.leaf()));
  TRY(const kernel::Fd to, openDirectory(layer, path.text()));
  return copyMetadata(from, below->status, to);
}

Result<void> LowerLayers::materialise(const kernel::Fd& layer, const LayerPath& path, const LayerPath& target) {
  TRY(const kernel::Fd parent, openDirectory(layer, path.parent()));
  TRY(const struct stat before, kernel::statAt(parent, "", AT_EMPTY_PATH));
  TRY(const auto present, lookAt(parent, path.leaf()));
  // A whiteout of the same name in the same layer: the link takes its place.
  if (present && isWhiteout(*present)) TRY_VOID(kernel::unlinkAt(parent, path.leaf()));

  // A link to a link to a lower file: the first one has become a file by now.
  if (auto sibling = openDirectory(layer, target.parent())) {
    TRY(const auto status, lookAt(*sibling, target.leaf()));
    if (status && !S_ISDIR(status->st_mode) && !isWhiteout(*status)) {
      TRY_VOID(kernel::linkAt(*sibling, target.leaf(), parent, path.leaf()));
      return kernel::setTimesAt(parent, "", before.st_mtim);
    }
  }
  LayerPath place = target;
  if (target.parts.size() > 1) {
    LayerPath directory = target;
    directory.parts.pop_back();
    TRY(auto resolved, resolveDirectory(directory));
    if (resolved) {
      place = *std::move(resolved);
      place.parts.push_back(target.leaf());
    }
  }
  const auto [copy, isFirst] = copies_.try_emplace(place.text(), path);
  if (!isFirst) {
    TRY(const kernel::Fd other, openDirectory(layer, copy->second.parent()));
    TRY_VOID(kernel::linkAt(other, copy->second.leaf(), parent, path.leaf()));
    return kernel::setTimesAt(parent, "", before.st_mtim);
  }
  TRY(const auto below, find(place));
  if (!below) {
    return Error(Code::InvalidArgument,
                 fmt::format("is a hard link to {}, which is in no layer", quoted(target.text())));
  }
  TRY_VOID(copyNode(below->parent, target.leaf(), below->status, parent, path.leaf(), left_));
  return kernel::setTimesAt(parent, "", before.st_mtim);
}

}  // namespace gantry::fetcher
