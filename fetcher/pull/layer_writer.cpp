#include "fetcher/pull/layer_writer.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include <fmt/format.h>

#include "kernel/file.hpp"
#include "kernel/node.hpp"

namespace gantry::fetcher {
namespace {

constexpr std::string_view kWhiteout = ".wh.";
// Of aufs: ".wh..wh..opq" is part of the image format, the others are its private files.
constexpr std::string_view kAufs = ".wh..wh.";
constexpr std::string_view kOpaque = ".wh..wh..opq";
constexpr std::uint64_t kBeneath = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
constexpr mode_t kImpliedMode = 0755;

bool isWhiteout(const struct stat& status) {
  return S_ISCHR(status.st_mode) && status.st_rdev == 0;
}

// The attributes an image may bring along. Others steer this host: trusted.overlay.* would redirect overlayfs, labels
// and measurements belong to the host's policy.
bool isAllowedAttribute(std::string_view name) {
  if (name.starts_with("user.")) return !name.starts_with("user.overlay.");
  static constexpr std::array<std::string_view, 3> kAllowed = {"security.capability", "system.posix_acl_access",
                                                               "system.posix_acl_default"};
  return std::ranges::count(kAllowed, name) > 0;
}

// A file system without user attributes or ACLs (an old tmpfs) is no reason to refuse the image.
Result<void> unlessUnsupported(Result<void> done) {
  if (!done && done.error().number() == EOPNOTSUPP) return {};
  return done;
}

Result<void> setAttributes(const kernel::Fd& file, const TarEntry& entry) {
  for (const auto& [name, value] : entry.attributes) {
    if (isAllowedAttribute(name)) TRY_VOID(unlessUnsupported(kernel::setAttribute(file, name, value)));
  }
  return {};
}

// Owner first: it clears the set-id bits and security.capability.
Result<void> setMetadata(const kernel::Fd& file, const TarEntry& entry) {
  TRY_VOID(kernel::changeOwnerAt(file, "", static_cast<uid_t>(entry.uid), static_cast<gid_t>(entry.gid)));
  TRY_VOID(kernel::changeMode(file, entry.permissions));
  return setAttributes(file, entry);
}

Result<std::optional<struct stat>> lookAt(const kernel::Fd& parent, const std::string& name) {
  auto status = kernel::statAt(parent, name, AT_SYMLINK_NOFOLLOW);
  if (status) return std::optional(*status);
  if (status.error().number() == ENOENT) return std::optional<struct stat>();
  return std::move(status).error();
}

Error describeWalk(const std::string& path, Error error) {
  if (error.number() == EXDEV) {
    return {Code::InvalidArgument, fmt::format("{} leads out of the layer through a symlink", quoted(path))};
  }
  if (error.number() == ENOTDIR) {
    return {Code::InvalidArgument, fmt::format("{} is no directory", quoted(path))};
  }
  if (error.number() == ELOOP) return {Code::InvalidArgument, fmt::format("{} is a loop of symlinks", quoted(path))};
  return error;
}

Result<void> checkOwner(const TarEntry& entry) {
  // The highest one means "unchanged" to the kernel.
  constexpr std::int64_t kLimit = 0xffff'ffffLL;
  if (entry.uid < 0 || entry.uid >= kLimit) return Error::invalid("uid", fmt::format("{} is no user id", entry.uid));
  if (entry.gid < 0 || entry.gid >= kLimit) return Error::invalid("gid", fmt::format("{} is no group id", entry.gid));
  return {};
}

}  // namespace

Result<void> LayerWriter::apply(const TarEntry& entry, TarReader& content) {
  if (++entries_ > limits_.entries) {
    return Error(Code::Exhausted, fmt::format("has more than {} entries", limits_.entries));
  }
  TRY(const LayerPath path, parseLayerPath(entry.path));
  return applyChecked(path, entry, content).under(quoted(entry.path));
}

Result<void> LayerWriter::applyChecked(const LayerPath& path, const TarEntry& entry, TarReader& content) {
  TRY_VOID(checkOwner(entry));
  if (path.isRoot()) return updateRoot(entry);
  for (const std::string& part : path.parts) {
    const bool isLeaf = &part == &path.leaf();
    if (part.starts_with(kAufs) && !(isLeaf && part == kOpaque)) return {};
    if (!isLeaf && part.starts_with(kWhiteout)) return Error(Code::InvalidArgument, "stands below a whiteout");
  }
  if (path.leaf().starts_with(kWhiteout)) return applyWhiteout(path);

  TRY(const kernel::Fd* parent, openParent(path.parent()));
  if (!lowerLinks_.empty()) {
    std::erase_if(lowerLinks_, [text = path.text()](const LayerNeeds::Link& link) { return link.path == text; });
  }
  switch (entry.kind) {
    case TarEntry::Kind::Directory:
      return writeDirectory(path, *parent, entry);
    case TarEntry::Kind::File:
      return writeFile(path, *parent, entry, content);
    case TarEntry::Kind::HardLink:
      return writeHardLink(path, *parent, entry);
    case TarEntry::Kind::Symlink:
      return writeSymlink(path, *parent, entry);
    case TarEntry::Kind::CharacterDevice:
      return writeNode(path, *parent, entry, S_IFCHR);
    case TarEntry::Kind::BlockDevice:
      return writeNode(path, *parent, entry, S_IFBLK);
    case TarEntry::Kind::Fifo:
      return writeNode(path, *parent, entry, S_IFIFO);
    case TarEntry::Kind::Other:
      // Sockets and the like mean nothing without the program that made them.
      return {};
  }
  return {};
}

Result<void> LayerWriter::applyWhiteout(const LayerPath& path) {
  TRY(const kernel::Fd* parent, openParent(path.parent()));
  if (path.leaf() == kOpaque) {
    TRY(const kernel::Fd directory, kernel::openAt(*parent, ".", O_RDONLY | O_DIRECTORY));
    return kernel::setAttribute(directory, "trusted.overlay.opaque", "y");
  }
  const std::string hidden = path.leaf().substr(kWhiteout.size());
  if (hidden.empty() || hidden == "." || hidden == "..") {
    return Error(Code::InvalidArgument, "is a whiteout of nothing that could be there");
  }
  // A whiteout is about lower layers: what this layer itself has under the name stays, wherever it stands in the
  // archive.
  TRY(const auto present, lookAt(*parent, hidden));
  if (!present) return kernel::makeNodeAt(*parent, hidden, S_IFCHR, 0);
  if (!S_ISDIR(present->st_mode)) return {};
  TRY(const kernel::Fd directory, kernel::openAt(*parent, hidden, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  return kernel::setAttribute(directory, "trusted.overlay.opaque", "y");
}

Result<void> LayerWriter::updateRoot(const TarEntry& entry) {
  if (entry.kind != TarEntry::Kind::Directory) {
    return Error(Code::InvalidArgument, "the root of the layer is no directory");
  }
  TRY_VOID(setMetadata(root_, entry));
  directoryTimes_[""] = entry.modified;
  return {};
}

Result<void> LayerWriter::writeDirectory(const LayerPath& path, const kernel::Fd& parent, const TarEntry& entry) {
  const std::string text = path.text();
  TRY(const auto present, lookAt(parent, path.leaf()));
  if (!present || !S_ISDIR(present->st_mode)) {
    TRY(const bool hidesLower, makeRoom(path, parent));
    TRY_VOID(kernel::makeDirectoryAt(parent, path.leaf(), kImpliedMode));
    if (hidesLower) {
      TRY(const kernel::Fd made, kernel::openAt(parent, path.leaf(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
      TRY_VOID(kernel::setAttribute(made, "trusted.overlay.opaque", "y"));
    }
  }
  TRY(const kernel::Fd directory, kernel::openAt(parent, path.leaf(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  TRY_VOID(setMetadata(directory, entry));
  impliedDirectories_.erase(text);
  directoryTimes_[text] = entry.modified;
  return {};
}

Result<void> LayerWriter::writeFile(const LayerPath& path, const kernel::Fd& parent, const TarEntry& entry,
                                    TarReader& content) {
  constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
  auto opened = kernel::openAt(parent, path.leaf(), kFlags, 0600);
  if (!opened && opened.error().number() == EEXIST) {
    TRY_VOID(makeRoom(path, parent));
    opened = kernel::openAt(parent, path.leaf(), kFlags, 0600);
  }
  TRY(const kernel::Fd file, std::move(opened));
  TRY_VOID(writeContent(file, entry, content));
  TRY_VOID(setMetadata(file, entry));
  return kernel::setTimesAt(file, "", entry.modified);
}

Result<void> LayerWriter::writeContent(const kernel::Fd& file, const TarEntry& entry, TarReader& content) {
  std::int64_t end = 0;
  while (true) {
    TRY(const auto block, content.content());
    if (!block) break;
    written_.count += block->data.size();
    if (written_ > limits_.unpacked) {
      return Error(Code::Exhausted, fmt::format("unpacks to more than {}", toString(limits_.unpacked)));
    }
    std::size_t done = 0;
    while (done < block->data.size()) {
      const auto rest = block->data.substr(done);
      TRY(const std::size_t count, kernel::writeAt(file, rest, static_cast<std::uint64_t>(block->offset) + done));
      done += count;
    }
    end = block->offset + static_cast<std::int64_t>(block->data.size());
  }
  // A hole at the end.
  if (end < entry.size) TRY_VOID(kernel::truncate(file, static_cast<std::uint64_t>(entry.size)));
  return {};
}

Result<void> LayerWriter::writeHardLink(const LayerPath& path, const kernel::Fd& parent, const TarEntry& entry) {
  TRY(const LayerPath target, parseLayerPath(entry.target).under("the target of the hard link"));
  if (target.isRoot()) return Error(Code::InvalidArgument, "is a hard link to the root");
  const std::string text = path.text();
  if (target == path) {
    TRY(const auto present, lookAt(parent, path.leaf()));
    if (present) return {};
  } else {
    TRY_VOID(makeRoom(path, parent));
  }
  const std::string targetParentPath = target.parent();
  auto targetParent =
      kernel::openAt2(root_, targetParentPath.empty() ? "." : targetParentPath, O_PATH | O_DIRECTORY, kBeneath);
  if (!targetParent && targetParent.error().number() != ENOENT) {
    return describeWalk(targetParentPath, std::move(targetParent).error());
  }
  std::optional<struct stat> status;
  if (targetParent) {
    TRY(status, lookAt(*targetParent, target.leaf()));
  }
  if (!status) {
    lowerLinks_.push_back({text, target.text()});
    return {};
  }
  if (S_ISDIR(status->st_mode)) return Error(Code::InvalidArgument, "is a hard link to a directory");
  if (isWhiteout(*status)) {
    return Error(Code::InvalidArgument,
                 fmt::format("is a hard link to {}, which this layer deletes", quoted(target.text())));
  }
  return kernel::linkAt(*targetParent, target.leaf(), parent, path.leaf());
}

Result<void> LayerWriter::writeSymlink(const LayerPath& path, const kernel::Fd& parent, const TarEntry& entry) {
  if (entry.target.empty()) return Error(Code::InvalidArgument, "is a symlink to nothing");
  TRY_VOID(makeRoom(path, parent));
  TRY_VOID(kernel::symlinkAt(entry.target, parent, path.leaf()));
  TRY_VOID(kernel::changeOwnerAt(parent, path.leaf(), static_cast<uid_t>(entry.uid), static_cast<gid_t>(entry.gid)));
  return kernel::setTimesAt(parent, path.leaf(), entry.modified);
}

Result<void> LayerWriter::writeNode(const LayerPath& path, const kernel::Fd& parent, const TarEntry& entry,
                                    mode_t type) {
  TRY_VOID(makeRoom(path, parent));
  TRY_VOID(kernel::makeNodeAt(parent, path.leaf(), type | 0600, entry.device));
  TRY_VOID(kernel::changeOwnerAt(parent, path.leaf(), static_cast<uid_t>(entry.uid), static_cast<gid_t>(entry.gid)));
  TRY_VOID(kernel::changeModeAt(parent, path.leaf(), entry.permissions));
  TRY_VOID(setAttributesByName(path.leaf(), parent, entry));
  return kernel::setTimesAt(parent, path.leaf(), entry.modified);
}

Result<void> LayerWriter::setAttributesByName(const std::string& name, const kernel::Fd& parent,
                                              const TarEntry& entry) {
  const auto allowed = [](const auto& attribute) { return isAllowedAttribute(attribute.first); };
  if (std::ranges::none_of(entry.attributes, allowed)) return {};
  TRY_VOID(kernel::changeWorkingDirectory(parent));
  for (const auto& [attribute, value] : entry.attributes) {
    // Only files and directories take user attributes.
    if (!isAllowedAttribute(attribute) || attribute.starts_with("user.")) continue;
    TRY_VOID(unlessUnsupported(kernel::setAttributeHere(name, attribute, value)));
  }
  return {};
}

Result<const kernel::Fd*> LayerWriter::openParent(const std::string& path) {
  if (path.empty()) return &root_;
  if (lastParent_ && lastParentPath_ == path) return &lastParent_;
  auto opened = kernel::openAt2(root_, path, O_PATH | O_DIRECTORY, kBeneath);
  if (!opened && (opened.error().number() == ENOENT || opened.error().number() == ENOTDIR)) opened = makeParent(path);
  if (!opened) return describeWalk(path, std::move(opened).error());
  lastParent_ = *std::move(opened);
  lastParentPath_ = path;
  return &lastParent_;
}

Result<kernel::Fd> LayerWriter::makeParent(const std::string& path) {
  for (std::size_t end = path.find('/');; end = path.find('/', end + 1)) {
    const std::string above = path.substr(0, end);
    auto opened = kernel::openAt2(root_, above, O_PATH | O_DIRECTORY, kBeneath);
    if (!opened && (opened.error().number() == ENOENT || opened.error().number() == ENOTDIR)) {
      TRY(const LayerPath place, parseLayerPath(above));
      const std::string parentPath = place.parent();
      TRY(const kernel::Fd parent,
          kernel::openAt2(root_, parentPath.empty() ? "." : parentPath, O_PATH | O_DIRECTORY, kBeneath));
      TRY(const auto present, lookAt(parent, place.leaf()));
      // A file or a dangling symlink of this layer is in the way: whoever wrote the archive contradicts itself.
      if (present && !isWhiteout(*present)) {
        return Error(Code::InvalidArgument, fmt::format("{} is no directory in this layer", quoted(above)));
      }
      TRY(const bool hidesLower, makeRoom(place, parent));
      TRY_VOID(kernel::makeDirectoryAt(parent, place.leaf(), kImpliedMode));
      if (hidesLower) {
        TRY(const kernel::Fd made, kernel::openAt(parent, place.leaf(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
        TRY_VOID(kernel::setAttribute(made, "trusted.overlay.opaque", "y"));
      } else {
        impliedDirectories_.insert(above);
      }
    } else if (!opened) {
      return std::move(opened).error();
    }
    if (end == std::string::npos) break;
  }
  return kernel::openAt2(root_, path, O_PATH | O_DIRECTORY, kBeneath);
}

Result<bool> LayerWriter::makeRoom(const LayerPath& path, const kernel::Fd& parent) {
  TRY(const auto present, lookAt(parent, path.leaf()));
  if (!present) return false;
  // Paths that led through what goes lead elsewhere now; the descriptor may be the caller's `parent`, so it stays.
  if (S_ISDIR(present->st_mode) || S_ISLNK(present->st_mode)) lastParentPath_.clear();
  if (S_ISDIR(present->st_mode)) {
    TRY_VOID(kernel::removeTreeAt(parent, path.leaf()));
    forgetBelow(path.text());
    return false;
  }
  TRY_VOID(kernel::unlinkAt(parent, path.leaf()));
  return isWhiteout(*present);
}

void LayerWriter::forgetBelow(const std::string& path) {
  const auto isGone = [&](const std::string& other) { return other == path || other.starts_with(path + "/"); };
  std::erase_if(directoryTimes_, [&](const auto& each) { return isGone(each.first); });
  std::erase_if(impliedDirectories_, isGone);
  std::erase_if(lowerLinks_, [&](const LayerNeeds::Link& link) { return isGone(link.path); });
}

Result<LayerNeeds> LayerWriter::finish() {
  for (const auto& [path, time] : directoryTimes_) {
    if (path.empty()) {
      TRY_VOID(kernel::setTimesAt(root_, "", time));
      continue;
    }
    TRY(const kernel::Fd directory, kernel::openAt2(root_, path, O_RDONLY | O_DIRECTORY, kBeneath));
    TRY_VOID(kernel::setTimesAt(directory, "", time));
  }
  LayerNeeds needs;
  needs.directories.assign(impliedDirectories_.begin(), impliedDirectories_.end());
  needs.links = std::move(lowerLinks_);
  return needs;
}

}  // namespace gantry::fetcher
