// Archives, entry by entry. libarchive reads them. A layer is a tar that was decompressed before; a task's archive may
// be a tar of some compressions, or a zip. Every other format and filter is left out.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "kernel/fd.hpp"

struct archive;

namespace gantry::fetcher {

// As the archive has it; nothing is checked.
struct TarEntry {
  enum class Kind { File, Directory, Symlink, HardLink, CharacterDevice, BlockDevice, Fifo, Other };

  Kind kind = Kind::File;
  std::string path;
  // Of a symlink or hard link.
  std::string target;
  std::int64_t uid = 0;
  std::int64_t gid = 0;
  mode_t permissions = 0;  // 07777
  timespec modified{};
  dev_t device = 0;
  std::int64_t size = 0;
  std::vector<std::pair<std::string, std::string>> attributes;
};

// Part of a file's content; what lies between parts is a hole.
struct TarBlock {
  std::string_view data;
  std::int64_t offset = 0;
};

class TarReader {
 public:
  // Gives the next bytes of the archive, empty at its end.
  using Source = std::function<Result<std::string_view>()>;

  // Reads from `source` while it is used.
  static Result<std::unique_ptr<TarReader>> open(Source source);
  // Reads the seekable `file`, which must outlive the reader; content that is not asked for is skipped.
  static Result<std::unique_ptr<TarReader>> openFile(const kernel::Fd& file);
  // Likewise a tar, plain or compressed by gzip, bzip2, xz or zstd, or a zip. Its first bytes tell which.
  static Result<std::unique_ptr<TarReader>> openPackedFile(const kernel::Fd& file);
  ~TarReader();

  // Nothing at the end of the archive. InvalidArgument when it is broken.
  Result<std::optional<TarEntry>> next();
  // The next part of the current entry's content; nothing at its end.
  Result<std::optional<TarBlock>> content();
  // Where in the archive the current entry's content starts; only with openFile and for a file that is not sparse.
  std::int64_t contentOffset() const;

 private:
  struct Feed;
  struct Free {
    void operator()(archive* reader) const;
  };
  TarReader();

  Error failed() const;

  std::unique_ptr<Feed> feed_;
  std::unique_ptr<archive, Free> archive_;
  bool empty_ = false;
};

}  // namespace gantry::fetcher
