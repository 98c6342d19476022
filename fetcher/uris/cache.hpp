// The files that containers share: <directory>/
//
//   entries/<key>/{content,about}   whole files; the key is a hash of the user and the URI
//   staging/<pid>-<n>/content       being fetched; as large as what is reserved for it; locked by who fetches it
//   locks/<key>                     held while somebody looks for, checks or fetches that file
//   lock                            held for moments: while room is made, and entries come and go
//
// Many fetchers use one directory at the same time. What is there is whole: entries are moved into place, and locks go
// with the process that holds them. A crash of the machine may lose parts of what looks whole, so that entries of an
// earlier boot are not used. An entry that is removed while it is read stays with its reader.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "fetcher/uri_messages.hpp"
#include "fetcher/uris/download.hpp"
#include "kernel/fd.hpp"

namespace gantry::fetcher {

// A file in the cache.
struct CachedFile {
  // Readable from the start.
  kernel::Fd content;
  Bytes size;
  // Of the original, where it has one.
  mode_t mode = 0644;
  Version version;
  // When it was last known to be what the original is.
  std::chrono::system_clock::time_point checked;
};

class Cache;

// One key, locked: nobody else looks for it, checks it or fetches it meanwhile.
class CacheSlot {
 public:
  CacheSlot(CacheSlot&&) noexcept = default;
  CacheSlot& operator=(CacheSlot&&) = delete;
  // Removes what was staged and not published, and unlocks.
  ~CacheSlot();

  // Nothing when there is none, or a damaged one.
  Result<std::optional<CachedFile>> find() const;
  // It was used, and is what the original is.
  Result<void> touch() const;
  Result<void> remove() const;

  // An empty file to be filled by writing to it. Only once.
  Result<const kernel::Fd*> stage();
  // Makes room for `size` bytes in all in the staged file, by removing what was not used for longest. False when the
  // cache is too small, or too much of it is being filled.
  Result<bool> reserve(Bytes size);
  // Moves what was staged into place, and returns it. `file` says what it is; its content is ignored.
  Result<CachedFile> publish(CachedFile file);

 private:
  friend class Cache;
  CacheSlot(const Cache& cache, std::string key, kernel::Fd lock)
      : cache_(cache), key_(std::move(key)), lock_(std::move(lock)) {}
  std::string entryPath() const;

  const Cache& cache_;
  std::string key_;
  kernel::Fd lock_;
  std::string stagingPath_;
  kernel::Fd staging_;
  kernel::Fd content_;
};

class Cache {
 public:
  // Makes what is missing and sweeps what dead fetchers left.
  static Result<Cache> open(const UriCache& settings);

  // Waits while somebody else has it. The cache must outlive the slot.
  Result<CacheSlot> lock(uid_t uid, const std::string& uri) const;
  // What entries and reservations take.
  Result<Bytes> used() const;

 private:
  friend class CacheSlot;
  Cache(UriCache settings, std::string boot) : settings_(std::move(settings)), boot_(std::move(boot)) {}
  std::string path(std::string_view name) const;
  Result<kernel::Fd> lockAll() const;
  // Of staged files and of locks, those whose holders have died.
  Result<void> sweep() const;
  Result<void> sweepLocks() const;

  UriCache settings_;
  // Of this boot of the machine.
  std::string boot_;
};

}  // namespace gantry::fetcher
