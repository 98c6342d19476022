#include "fetcher/pull/file_tree.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>

#include <charconv>

#include <fmt/format.h>

#include "base/log.hpp"
#include "fetcher/pull/child.hpp"
#include "fetcher/pull/confinement.hpp"
#include "fetcher/pull/decompress.hpp"
#include "fetcher/pull/decompress_file.hpp"
#include "fetcher/pull/layer_path.hpp"
#include "fetcher/pull/tar_reader.hpp"
#include "kernel/file.hpp"

namespace gantry::fetcher {
namespace {

constexpr std::size_t kMaxMembers = 100'000;
constexpr int kMaxLinks = 8;

Result<std::uint64_t> sizeOfFile(const kernel::Fd& file, const std::string& path) {
  TRY(const struct stat status, kernel::statAt(file, "", AT_EMPTY_PATH));
  if (!S_ISREG(status.st_mode)) return Error(Code::InvalidArgument, fmt::format("'{}' is no regular file", path));
  return static_cast<std::uint64_t>(status.st_size);
}

class DirectoryTree final : public FileTree {
 public:
  explicit DirectoryTree(kernel::Fd directory) : directory_(std::move(directory)) {}

  Result<FilePart> open(const std::string& path) const override {
    // Not blocking: a FIFO in its place is then opened, and refused below.
    TRY(auto file, kernel::openAt2(directory_, path, O_RDONLY | O_NONBLOCK, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS));
    TRY(const std::uint64_t size, sizeOfFile(file, path));
    return FilePart{std::move(file), 0, size};
  }

 private:
  kernel::Fd directory_;
};

struct Member {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  // Of a link: the path it leads to.
  std::string target;
};

class ArchiveTree final : public FileTree {
 public:
  ArchiveTree(kernel::Fd file, std::uint64_t size, std::map<std::string, Member> members)
      : file_(std::move(file)), size_(size), members_(std::move(members)) {}

  Result<FilePart> open(const std::string& path) const override {
    std::string name = path;
    for (int links = 0; links <= kMaxLinks; ++links) {
      const auto found = members_.find(name);
      if (found == members_.end()) {
        return Error(Code::NotFound, fmt::format("{} is not in the archive", quoted(name)));
      }
      const Member& member = found->second;
      if (member.target.empty()) {
        if (member.offset > size_ || member.size > size_ - member.offset) {
          return Error(Code::InvalidArgument, fmt::format("{} goes beyond the end of the archive", quoted(name)));
        }
        TRY(auto file, kernel::duplicate(file_));
        return FilePart{std::move(file), member.offset, member.size};
      }
      name = member.target;
    }
    return Error(Code::InvalidArgument, fmt::format("{} is a chain of too many links", quoted(path)));
  }

 private:
  kernel::Fd file_;
  std::uint64_t size_;
  std::map<std::string, Member> members_;
};

// "a/../b/layer.tar" for a symlink in "a" to "../b/layer.tar", made plain; empty when it leads out of the archive.
std::string resolveLink(const std::string& link, const std::string& target) {
  std::vector<std::string> parts;
  const auto walk = [&](std::string_view text) {
    while (!text.empty()) {
      const auto slash = text.find('/');
      const auto part = text.substr(0, slash);
      text.remove_prefix(slash == std::string_view::npos ? text.size() : slash + 1);
      if (part.empty() || part == ".") continue;
      if (part != "..") {
        parts.emplace_back(part);
      } else if (parts.empty()) {
        return false;
      } else {
        parts.pop_back();
      }
    }
    return true;
  };
  const auto slash = link.rfind('/');
  if (!walk(slash == std::string::npos ? "" : link.substr(0, slash)) || !walk(target)) return {};
  return LayerPath{parts}.text();
}

// In the child: says each member's name and place.
Result<void> index(const kernel::Fd& file, const kernel::Fd& connection) {
  TRY_VOID(becomeNobody().under("confine the reader of the archive"));
  TRY(const auto tar, TarReader::openFile(file));
  while (true) {
    TRY(const auto entry, tar->next());
    if (!entry) break;
    const auto path = parseLayerPath(entry->path);
    if (!path || path->isRoot()) continue;
    const std::string name = path->text();
    if (entry->kind == TarEntry::Kind::File) {
      TRY_VOID(kernel::sendWithDescriptor(
          connection, joinFields({"file", name, std::to_string(tar->contentOffset()), std::to_string(entry->size)}),
          {}));
    } else if (entry->kind == TarEntry::Kind::HardLink || entry->kind == TarEntry::Kind::Symlink) {
      const bool isSymlink = entry->kind == TarEntry::Kind::Symlink;
      const std::string target = resolveLink(isSymlink ? name : "", entry->target);
      if (!target.empty()) TRY_VOID(kernel::sendWithDescriptor(connection, joinFields({"link", name, target}), {}));
    }
  }
  return kernel::sendWithDescriptor(connection, "end", {});
}

Result<std::uint64_t> number(const std::string& text) {
  std::uint64_t value = 0;
  const auto [stop, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || stop != text.data() + text.size()) {
    return Error(Code::Internal, "the reader of the archive speaks nonsense");
  }
  return value;
}

Result<std::map<std::string, Member>> readIndex(const kernel::Fd& file) {
  TRY(const auto child, Child::start({&file}, [&](const kernel::Fd& connection) {
        const auto done = index(file, connection);
        if (done) return;
        auto fields = errorFields(done.error());
        fields.insert(fields.begin(), "failed");
        ignore(kernel::sendWithDescriptor(connection, joinFields(fields), {}), "the fetcher has ended; so shall we");
      }));
  std::map<std::string, Member> members;
  while (true) {
    TRY(const auto fields, child.receive());
    if (fields.empty()) return Error(Code::Internal, "the reader of the archive ended unexpectedly");
    if (fields[0] == "end") return members;
    if (fields[0] == "failed") return errorFromFields(fields, 1);
    if (members.size() >= kMaxMembers) {
      return Error(Code::Exhausted, fmt::format("the archive has more than {} members", kMaxMembers));
    }
    if (fields[0] == "file" && fields.size() == 4) {
      TRY(const std::uint64_t offset, number(fields[2]));
      TRY(const std::uint64_t size, number(fields[3]));
      members[fields[1]] = {offset, size, {}};
    } else if (fields[0] == "link" && fields.size() == 3) {
      members[fields[1]] = {0, 0, fields[2]};
    } else {
      return Error(Code::Internal, "the reader of the archive speaks nonsense");
    }
  }
}

}  // namespace

Result<std::string> FilePart::read(Bytes limit) const {
  if (size > limit.count) {
    return Error(Code::Exhausted, fmt::format("is larger than {} bytes", limit.count));
  }
  std::string data(size, '\0');
  std::size_t done = 0;
  while (done < data.size()) {
    TRY(const std::size_t count, kernel::readAt(file, data.data() + done, data.size() - done, offset + done));
    if (count == 0) return Error(Code::InvalidArgument, fmt::format("is truncated: has {} bytes, not {}", done, size));
    done += count;
  }
  return data;
}

Result<std::unique_ptr<FileTree>> openDirectoryTree(const std::string& directory) {
  TRY(auto opened, kernel::open(directory, O_RDONLY | O_DIRECTORY));
  return std::unique_ptr<FileTree>(std::make_unique<DirectoryTree>(std::move(opened)));
}

Result<std::unique_ptr<FileTree>> openArchiveTree(const std::string& path, const std::string& scratch, Bytes limit) {
  TRY(auto file, kernel::open(path, O_RDONLY | O_NONBLOCK));
  TRY(std::uint64_t size, sizeOfFile(file, path));
  char magic[Decompressor::kMagicSize] = {};
  TRY(const std::size_t count, kernel::readAt(file, magic, sizeof magic, 0));
  if (Decompressor::formatOf(std::string_view(magic, count)) != Decompressor::Format::None) {
    TRY(file, decompressBeside(file, scratch, limit).under(fmt::format("'{}'", path)));
    TRY(size, sizeOfFile(file, path));
  }
  TRY(auto members, readIndex(file).under(fmt::format("'{}'", path)));
  return std::unique_ptr<FileTree>(std::make_unique<ArchiveTree>(std::move(file), size, std::move(members)));
}

}  // namespace gantry::fetcher
