#include "fetcher/uris/sandbox_writer.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include <fmt/format.h>

#include "fetcher/pull/decompress_file.hpp"
#include "fetcher/uris/copy.hpp"
#include "kernel/file.hpp"
#include "kernel/node.hpp"

namespace gantry::fetcher {
namespace {

constexpr std::uint64_t kBeneath = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
// One fetch at a time writes into a sandbox.
const std::string kStoredName = ".gantry-fetching";
constexpr int kNewFile = O_CREAT | O_EXCL | O_NOFOLLOW;
constexpr mode_t kUnfinished = 0600;
constexpr mode_t kUnfinishedDirectory = 0700;
constexpr mode_t kDirectory = 0755;
constexpr mode_t kPlainFile = 0644;

// What an archive's permissions become.
mode_t tame(mode_t permissions) {
  return permissions & 0777 & ~mode_t{022};
}

Error invalid(std::string reason) {
  return {Code::InvalidArgument, std::move(reason)};
}

Error describeWalk(const std::string& path, Error error) {
  if (error.number() == EXDEV) return invalid(fmt::format("{} leads out of the sandbox", quoted(path)));
  if (error.number() == ENOTDIR) return invalid(fmt::format("{} is no directory", quoted(path)));
  if (error.number() == ELOOP) return invalid(fmt::format("{} is a loop of symlinks", quoted(path)));
  return error;
}

Result<std::optional<struct stat>> lookAt(const kernel::Fd& parent, const std::string& name) {
  auto status = kernel::statAt(parent, name, AT_SYMLINK_NOFOLLOW);
  if (status) return std::optional(*status);
  if (status.error().number() == ENOENT) return std::optional<struct stat>();
  return std::move(status).error();
}

// Removes what has the name, but for a directory.
Result<void> makeRoom(const kernel::Fd& parent, const std::string& name) {
  auto removed = kernel::unlinkAt(parent, name);
  if (removed || removed.error().number() == ENOENT) return {};
  if (removed.error().number() == EISDIR) return invalid(fmt::format("{} is a directory already", quoted(name)));
  return removed;
}

}  // namespace

Result<Bytes> SandboxWriter::store(const kernel::Fd& from) {
  TRY_VOID(drop().under("write into the sandbox"));
  TRY(stored_, kernel::openAt(root_, kStoredName, O_RDWR | kNewFile, kUnfinished).under("write into the sandbox"));
  return copyAll(from, stored_, [this](Bytes done) -> Result<void> {
    written_(done);
    return {};
  });
}

Result<void> SandboxWriter::keep(const LayerPath& path, mode_t mode) {
  ENSURE(static_cast<bool>(stored_), "nothing was stored that could be kept");
  TRY(const kernel::Fd* parent, openParent(path));
  TRY_VOID(kernel::changeMode(stored_, mode));
  auto moved = kernel::renameAt(root_, kStoredName, *parent, path.leaf());
  if (moved) return {};
  if (moved.error().number() == EISDIR) return invalid(fmt::format("{} is a directory already", quoted(path.text())));
  return moved;
}

Result<void> SandboxWriter::drop() {
  stored_.reset();
  auto removed = kernel::unlinkAt(root_, kStoredName);
  if (!removed && removed.error().number() == ENOENT) return {};
  return removed;
}

Result<void> SandboxWriter::unpackKept(Packing packing, const std::string& name) {
  ENSURE(static_cast<bool>(stored_), "nothing was kept that could be unpacked");
  TRY_VOID(kernel::rewind(stored_));
  return unpack(stored_, packing, name);
}

Result<void> SandboxWriter::unpack(const kernel::Fd& file, Packing packing, const std::string& name) {
  unpacked_ = {};
  entries_ = 0;
  if (packing == Packing::File) {
    TRY(const LayerPath path, parseLayerPath(unpackedName(name)));
    if (path.isRoot()) return invalid(fmt::format("{} is no name for what is in it", quoted(name)));
    return unpackFile(file, path);
  }
  return unpackArchive(file);
}

Result<void> SandboxWriter::unpackFile(const kernel::Fd& file, const LayerPath& path) {
  TRY(const kernel::Fd made, makeFile(path, root_));
  TRY_VOID(decompressFile(file, made, [this](std::size_t bytes) { return count(bytes); }));
  return kernel::changeMode(made, kPlainFile);
}

Result<void> SandboxWriter::unpackArchive(const kernel::Fd& file) {
  directories_.clear();
  TRY(const auto archive, TarReader::openPackedFile(file));
  while (true) {
    TRY(const auto entry, archive->next());
    if (!entry) return finishDirectories();
    TRY_VOID(apply(*entry, *archive).under(quoted(entry->path)));
  }
}

Result<void> SandboxWriter::apply(const TarEntry& entry, TarReader& content) {
  if (++entries_ > limits_.entries) {
    return Error(Code::Exhausted, fmt::format("the archive has more than {} entries", limits_.entries));
  }
  TRY(const LayerPath path, parseLayerPath(entry.path));
  // "./" is the sandbox, whose mode is not the archive's business.
  if (path.isRoot()) return {};
  TRY(const kernel::Fd* parent, openParent(path));
  switch (entry.kind) {
    case TarEntry::Kind::Directory:
      return writeDirectory(path, *parent, entry);
    case TarEntry::Kind::File:
      return writeFile(path, *parent, entry, content);
    case TarEntry::Kind::Symlink:
      return writeSymlink(path, *parent, entry);
    case TarEntry::Kind::HardLink:
      return writeHardLink(path, *parent, entry);
    case TarEntry::Kind::CharacterDevice:
    case TarEntry::Kind::BlockDevice:
    case TarEntry::Kind::Fifo:
    case TarEntry::Kind::Other:
      break;
  }
  return invalid("is a device or a pipe; an archive may hold files, directories and links");
}

Result<void> SandboxWriter::writeDirectory(const LayerPath& path, const kernel::Fd& parent, const TarEntry& entry) {
  TRY(const auto present, lookAt(parent, path.leaf()));
  if (!present || !S_ISDIR(present->st_mode)) {
    if (present) TRY_VOID(makeRoom(parent, path.leaf()));
    lastParentPath_.clear();
    TRY_VOID(kernel::makeDirectoryAt(parent, path.leaf(), kUnfinishedDirectory));
  }
  directories_.insert_or_assign(path.text(), DirectoryMetadata{tame(entry.permissions), entry.modified});
  return {};
}

Result<void> SandboxWriter::writeFile(const LayerPath& path, const kernel::Fd& parent, const TarEntry& entry,
                                      TarReader& content) {
  TRY(const kernel::Fd file, makeFile(path, parent));
  TRY_VOID(writeContent(file, entry, content));
  TRY_VOID(kernel::changeMode(file, tame(entry.permissions)));
  return kernel::setTimesAt(file, "", entry.modified);
}

Result<void> SandboxWriter::writeContent(const kernel::Fd& file, const TarEntry& entry, TarReader& content) {
  std::int64_t end = 0;
  while (true) {
    TRY(const auto block, content.content());
    if (!block) break;
    TRY_VOID(count(block->data.size()));
    std::size_t done = 0;
    while (done < block->data.size()) {
      const auto rest = block->data.substr(done);
      TRY(const std::size_t taken, kernel::writeAt(file, rest, static_cast<std::uint64_t>(block->offset) + done));
      done += taken;
    }
    end = std::max(end, block->offset + static_cast<std::int64_t>(block->data.size()));
  }
  // A hole at the end.
  if (end < entry.size) return kernel::truncate(file, static_cast<std::uint64_t>(entry.size));
  return {};
}

Result<void> SandboxWriter::writeSymlink(const LayerPath& path, const kernel::Fd& parent, const TarEntry& entry) {
  if (entry.target.empty()) return invalid("is a symlink to nothing");
  TRY_VOID(makeRoom(parent, path.leaf()));
  lastParentPath_.clear();
  TRY_VOID(kernel::symlinkAt(entry.target, parent, path.leaf()));
  return kernel::setTimesAt(parent, path.leaf(), entry.modified);
}

Result<void> SandboxWriter::writeHardLink(const LayerPath& path, const kernel::Fd& parent, const TarEntry& entry) {
  TRY(const LayerPath target, parseLayerPath(entry.target).under("the target of the hard link"));
  if (target == path) return {};
  const std::string directory = target.parent();
  auto opened = kernel::openAt2(root_, directory.empty() ? "." : directory, O_PATH | O_DIRECTORY, kBeneath);
  if (!opened) return describeWalk(directory, std::move(opened).error()).under("the target of the hard link");
  TRY(const auto status, lookAt(*opened, target.leaf()));
  if (!status) return invalid(fmt::format("is a hard link to {}, which is not in the sandbox", quoted(target.text())));
  if (S_ISDIR(status->st_mode)) return invalid("is a hard link to a directory");
  TRY_VOID(makeRoom(parent, path.leaf()));
  return kernel::linkAt(*opened, target.leaf(), parent, path.leaf());
}

Result<void> SandboxWriter::finishDirectories() {
  // Backwards, since a directory comes before what is in it, and may not be entered any more afterwards.
  for (auto each = directories_.rbegin(); each != directories_.rend(); ++each) {
    const auto& [path, metadata] = *each;
    auto opened = kernel::openAt2(root_, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, kBeneath);
    // A later entry may have put a symlink in its place.
    if (!opened) continue;
    TRY_VOID(kernel::setTimesAt(*opened, "", metadata.modified));
    TRY_VOID(kernel::changeMode(*opened, metadata.mode));
  }
  return {};
}

Result<kernel::Fd> SandboxWriter::makeFile(const LayerPath& path, const kernel::Fd& parent) {
  auto opened = kernel::openAt(parent, path.leaf(), O_WRONLY | kNewFile, kUnfinished);
  if (opened || opened.error().number() != EEXIST) return opened;
  TRY_VOID(makeRoom(parent, path.leaf()));
  // Paths that led through a symlink lead elsewhere now.
  lastParentPath_.clear();
  return kernel::openAt(parent, path.leaf(), O_WRONLY | kNewFile, kUnfinished);
}

Result<const kernel::Fd*> SandboxWriter::openParent(const LayerPath& path) {
  const std::string parent = path.parent();
  if (parent.empty()) return &root_;
  if (lastParent_ && lastParentPath_ == parent) return &lastParent_;
  auto opened = kernel::openAt2(root_, parent, O_PATH | O_DIRECTORY, kBeneath);
  if (!opened && opened.error().number() == ENOENT) {
    LayerPath place = path;
    place.parts.pop_back();
    TRY(const kernel::Fd* above, openParent(place));
    TRY_VOID(kernel::makeDirectoryAt(*above, place.leaf(), kDirectory).under("make a directory in the sandbox"));
    opened = kernel::openAt2(root_, parent, O_PATH | O_DIRECTORY, kBeneath);
  }
  if (!opened) return describeWalk(parent, std::move(opened).error());
  lastParent_ = *std::move(opened);
  lastParentPath_ = parent;
  return &lastParent_;
}

Result<void> SandboxWriter::count(std::size_t bytes) {
  unpacked_.count += bytes;
  if (unpacked_ > limits_.unpacked) {
    return Error(Code::Exhausted, fmt::format("unpacks to more than {}", toString(limits_.unpacked)));
  }
  written_(unpacked_);
  return {};
}

}  // namespace gantry::fetcher
