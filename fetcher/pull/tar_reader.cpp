#include "fetcher/pull/tar_reader.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include <fmt/format.h>

#include "kernel/file.hpp"

namespace gantry::fetcher {
namespace {

TarEntry::Kind kindOf(archive_entry* entry) {
  if (archive_entry_hardlink(entry) != nullptr) return TarEntry::Kind::HardLink;
  switch (archive_entry_filetype(entry)) {
    case AE_IFREG:
      return TarEntry::Kind::File;
    case AE_IFDIR:
      return TarEntry::Kind::Directory;
    case AE_IFLNK:
      return TarEntry::Kind::Symlink;
    case AE_IFCHR:
      return TarEntry::Kind::CharacterDevice;
    case AE_IFBLK:
      return TarEntry::Kind::BlockDevice;
    case AE_IFIFO:
      return TarEntry::Kind::Fifo;
    default:
      return TarEntry::Kind::Other;
  }
}

std::string textOf(const char* text) {
  return text == nullptr ? std::string() : std::string(text);
}

// libarchive 3.6 reads the PAX time "-1.5" as second -1 and half a second after it, which is -0.5. (Without need for
// this any more, integration/fetcher's test_metadata fails.)
timespec modificationTime(archive_entry* from) {
  constexpr long kSecond = 1'000'000'000;
  const timespec time{archive_entry_mtime(from), archive_entry_mtime_nsec(from)};
  if (time.tv_sec >= 0 || time.tv_nsec == 0) return time;
  return {time.tv_sec - 1, kSecond - time.tv_nsec};
}

TarEntry read(archive_entry* from) {
  TarEntry entry;
  entry.kind = kindOf(from);
  entry.path = textOf(archive_entry_pathname(from));
  if (entry.kind == TarEntry::Kind::HardLink) entry.target = textOf(archive_entry_hardlink(from));
  if (entry.kind == TarEntry::Kind::Symlink) entry.target = textOf(archive_entry_symlink(from));
  entry.uid = archive_entry_uid(from);
  entry.gid = archive_entry_gid(from);
  entry.permissions = archive_entry_perm(from) & 07777;
  entry.modified = modificationTime(from);
  entry.device = archive_entry_rdev(from);
  entry.size = archive_entry_size(from);
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  archive_entry_xattr_reset(from);
  while (archive_entry_xattr_next(from, &name, &value, &size) == ARCHIVE_OK) {
    entry.attributes.emplace_back(textOf(name), std::string(static_cast<const char*>(value), size));
  }
  return entry;
}

}  // namespace

// What the read callback needs: where bytes come from, and the error that libarchive cannot carry.
struct TarReader::Feed {
  Source source;
  std::string_view first;
  std::optional<Error> error;

  static la_ssize_t read(archive* reader, void* self, const void** data) {
    auto& feed = *static_cast<Feed*>(self);
    if (!feed.first.empty()) {
      *data = feed.first.data();
      return static_cast<la_ssize_t>(std::exchange(feed.first, {}).size());
    }
    auto next = feed.source();
    if (!next) {
      feed.error = std::move(next).error();
      archive_set_error(reader, EIO, "%s", feed.error->message().c_str());
      return ARCHIVE_FATAL;
    }
    *data = next->data();
    return static_cast<la_ssize_t>(next->size());
  }
};

void TarReader::Free::operator()(archive* reader) const {
  archive_read_free(reader);
}

TarReader::TarReader() : feed_(std::make_unique<Feed>()), archive_(archive_read_new()) {
  ENSURE(archive_ != nullptr, "libarchive cannot be set up");
  archive_read_support_filter_none(archive_.get());
  archive_read_support_format_tar(archive_.get());
}
TarReader::~TarReader() = default;

Error TarReader::failed() const {
  if (feed_->error) return *feed_->error;
  const char* text = archive_error_string(archive_.get());
  return {Code::InvalidArgument, fmt::format("the archive is broken: {}", text == nullptr ? "no reason given" : text)};
}

Result<std::unique_ptr<TarReader>> TarReader::open(Source source) {
  std::unique_ptr<TarReader> reader(new TarReader);
  // Without a byte to look at libarchive does not know a format; an empty layer is a valid one.
  TRY(const std::string_view first, source());
  reader->empty_ = first.empty();
  reader->feed_->first = first;
  reader->feed_->source = std::move(source);
  if (reader->empty_) return reader;
  if (archive_read_open(reader->archive_.get(), reader->feed_.get(), nullptr, &Feed::read, nullptr) != ARCHIVE_OK) {
    return reader->failed();
  }
  return reader;
}

Result<std::unique_ptr<TarReader>> TarReader::openFile(const kernel::Fd& file) {
  std::unique_ptr<TarReader> reader(new TarReader);
  constexpr std::size_t kBlock = 64U << 10U;
  if (archive_read_open_fd(reader->archive_.get(), file.raw(), kBlock) != ARCHIVE_OK) return reader->failed();
  return reader;
}

Result<std::unique_ptr<TarReader>> TarReader::openPackedFile(const kernel::Fd& file) {
  std::unique_ptr<TarReader> reader(new TarReader);
  archive* const archive = reader->archive_.get();
  archive_read_support_filter_gzip(archive);
  archive_read_support_filter_bzip2(archive);
  archive_read_support_filter_xz(archive);
  archive_read_support_filter_zstd(archive);
  archive_read_support_format_zip(archive);
  TRY(const struct stat status, kernel::statAt(file, "", AT_EMPTY_PATH));
  reader->empty_ = status.st_size == 0;
  constexpr std::size_t kBlock = 256U << 10U;
  if (!reader->empty_ && archive_read_open_fd(archive, file.raw(), kBlock) != ARCHIVE_OK) return reader->failed();
  return reader;
}

Result<std::optional<TarEntry>> TarReader::next() {
  if (empty_) return std::optional<TarEntry>();
  archive_entry* entry = nullptr;
  const int status = archive_read_next_header(archive_.get(), &entry);
  if (status == ARCHIVE_EOF) return std::optional<TarEntry>();
  // A warning is about a name that is no UTF-8 or an attribute it does not know; the entry is whole.
  if (status != ARCHIVE_OK && status != ARCHIVE_WARN) return failed();
  return std::optional(read(entry));
}

Result<std::optional<TarBlock>> TarReader::content() {
  const void* data = nullptr;
  std::size_t size = 0;
  la_int64_t offset = 0;
  const int status = archive_read_data_block(archive_.get(), &data, &size, &offset);
  if (status == ARCHIVE_EOF) return std::optional<TarBlock>();
  if (status != ARCHIVE_OK && status != ARCHIVE_WARN) return failed();
  return std::optional(TarBlock{std::string_view(static_cast<const char*>(data), size), offset});
}

std::int64_t TarReader::contentOffset() const {
  return archive_filter_bytes(archive_.get(), 0);
}

}  // namespace gantry::fetcher
