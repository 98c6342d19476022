// The files an image is kept in: those of an OCI layout directory, or those in a tar archive.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "kernel/fd.hpp"

namespace gantry::fetcher {

// Bytes `offset` to `offset + size` of an open file.
struct FilePart {
  kernel::Fd file;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;

  // Exhausted when it is larger than `limit`.
  Result<std::string> read(Bytes limit) const;
};

class FileTree {
 public:
  virtual ~FileTree() = default;
  // `path` is relative, "blobs/sha256/…". NotFound names it.
  virtual Result<FilePart> open(const std::string& path) const = 0;
};

// No symlink leads out of `directory`.
Result<std::unique_ptr<FileTree>> openDirectoryTree(const std::string& directory);
// A tar. It is read once, by an unprivileged child that says where in it each file stands; nothing is unpacked, but for
// one that is compressed by gzip or zstd: of that there is a copy of at most `limit` bytes in the directory `scratch`,
// without a name, meanwhile. Links inside the archive (old versions of `docker save` write them) are followed.
Result<std::unique_ptr<FileTree>> openArchiveTree(const std::string& path, const std::string& scratch, Bytes limit);

}  // namespace gantry::fetcher
