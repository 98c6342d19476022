#include "fetcher/uris/cache.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/log.hpp"
#include "fetcher/members.hpp"
#include "fetcher/pull/hash.hpp"
#include "kernel/file.hpp"
#include "kernel/node.hpp"

namespace gantry::fetcher {
namespace {

constexpr mode_t kPrivate = 0700;
constexpr mode_t kPrivateFile = 0600;
constexpr std::size_t kMaxAbout = 64U << 10U;

using Time = std::chrono::system_clock::time_point;

Time timeOf(const timespec& time) {
  return Time(std::chrono::duration_cast<Time::duration>(std::chrono::seconds(time.tv_sec) +
                                                         std::chrono::nanoseconds(time.tv_nsec)));
}

Result<struct stat> look(const std::string& path) {
  return kernel::statAt(kernel::workingDirectory(), path, AT_SYMLINK_NOFOLLOW);
}

Result<kernel::Fd> lockedFile(const std::string& path) {
  TRY(kernel::Fd lock, kernel::open(path, O_RDWR | O_CREAT, kPrivateFile));
  TRY(const bool locked, kernel::lockFile(lock, kernel::Lock::Exclusive, true));
  ENSURE(locked, "a lock that was waited for was not taken");
  return lock;
}

// The file, locked; nothing when somebody else has locked it, or when it has just gone.
Result<kernel::Fd> lockUnlessHeld(const std::string& path, int mode) {
  auto file = kernel::open(path, mode | O_NOFOLLOW);
  if (!file && file.error().code() == Code::NotFound) return kernel::Fd();
  TRY(kernel::Fd opened, std::move(file));
  TRY(const bool locked, kernel::lockFile(opened, kernel::Lock::Exclusive, false));
  return locked ? std::move(opened) : kernel::Fd();
}

std::string aboutToJson(const CachedFile& file, const std::string& boot) {
  return dump({{"boot", boot},
               {"size", file.size.count},
               {"mode", file.mode},
               {"etag", file.version.etag},
               {"last_modified", file.version.lastModified},
               {"stamp", file.version.stamp}});
}

Result<CachedFile> aboutFrom(std::string_view text, const std::string& thisBoot) {
  TRY(const Json json, parseObject(text));
  CachedFile file;
  std::string boot;
  std::uint32_t mode = file.mode;
  Members members(json, "about");
  members.read("boot", boot);
  members.read("size", file.size);
  members.read("mode", mode);
  members.read("etag", file.version.etag);
  members.read("last_modified", file.version.lastModified);
  members.read("stamp", file.version.stamp);
  TRY_VOID(members.outcome());
  file.mode = mode;
  if (boot != thisBoot) return Error(Code::NotFound, "was fetched before the machine started");
  return file;
}

Result<CachedFile> openEntry(const std::string& path, const std::string& boot) {
  TRY(const std::string about, kernel::readFile(path + "/about", kMaxAbout));
  TRY(CachedFile file, aboutFrom(about, boot));
  TRY(file.content, kernel::open(path + "/content", O_RDONLY | O_NOFOLLOW));
  TRY(const struct stat content, kernel::statAt(file.content, "", AT_EMPTY_PATH));
  if (static_cast<std::uint64_t>(content.st_size) != file.size.count) return Error(Code::NotFound, "is damaged");
  TRY(const struct stat status, look(path + "/about"));
  file.checked = timeOf(status.st_mtim);
  return file;
}

struct Entry {
  std::string path;
  Bytes size;
  Time used;
};

// Damaged ones are the oldest.
std::vector<Entry> listEntries(const std::string& directory) {
  std::vector<Entry> entries;
  const auto names = kernel::listDirectory(directory);
  if (!names) return entries;
  for (const std::string& name : *names) {
    Entry entry{fmt::format("{}/{}", directory, name), {}, {}};
    const auto content = look(entry.path + "/content");
    const auto about = look(entry.path + "/about");
    if (content) entry.size.count = static_cast<std::uint64_t>(content->st_size);
    if (about) entry.used = timeOf(about->st_mtim);
    entries.push_back(std::move(entry));
  }
  return entries;
}

Bytes sum(const std::vector<Entry>& entries) {
  Bytes total;
  for (const Entry& entry : entries) total.count += entry.size.count;
  return total;
}

}  // namespace

// --- the cache

Result<Cache> Cache::open(const UriCache& settings) {
  for (const char* part : {"entries", "staging", "locks"}) {
    TRY_VOID(kernel::makeDirectories(fmt::format("{}/{}", settings.directory, part), kPrivate));
  }
  TRY(const std::string boot, kernel::readFile("/proc/sys/kernel/random/boot_id"));
  Cache cache(settings, boot);
  TRY(const kernel::Fd all, cache.lockAll());
  TRY_VOID(cache.sweep());
  TRY_VOID(cache.sweepLocks());
  return cache;
}

std::string Cache::path(std::string_view name) const {
  return fmt::format("{}/{}", settings_.directory, name);
}

Result<kernel::Fd> Cache::lockAll() const {
  return lockedFile(path("lock"));
}

Result<void> Cache::sweep() const {
  TRY(const auto names, kernel::listDirectory(path("staging")));
  for (const std::string& name : names) {
    const std::string left = path("staging/" + name);
    TRY(const kernel::Fd rubbish, lockUnlessHeld(left, O_RDONLY));
    if (rubbish) TRY_VOID(kernel::removeTree(left));
  }
  return {};
}

Result<void> Cache::sweepLocks() const {
  TRY(const auto names, kernel::listDirectory(path("locks")));
  for (const std::string& name : names) {
    const std::string left = path("locks/" + name);
    // Who waits for it finds that it locks nothing any more.
    TRY(const kernel::Fd rubbish, lockUnlessHeld(left, O_RDWR));
    if (rubbish) ignore(kernel::unlink(left), "its last holder may have removed it");
  }
  return {};
}

Result<CacheSlot> Cache::lock(uid_t uid, const std::string& uri) const {
  const std::string key(digestOf(fmt::format("{} {}", uid, uri)).hex());
  const std::string name = path("locks/" + key);
  while (true) {
    TRY(kernel::Fd lock, lockedFile(name));
    // Who had it before removed it: it locks nothing any more.
    TRY(const struct stat status, kernel::statAt(lock, "", AT_EMPTY_PATH));
    if (status.st_nlink > 0) return CacheSlot(*this, key, std::move(lock));
  }
}

Result<Bytes> Cache::used() const {
  TRY(const kernel::Fd all, lockAll());
  return Bytes{sum(listEntries(path("entries"))).count + sum(listEntries(path("staging"))).count};
}

// --- a slot

CacheSlot::~CacheSlot() {
  if (!lock_) return;
  if (staging_) {
    const auto removed = kernel::removeTree(stagingPath_);
    if (!removed) log::warning("the next fetch removes what was to be cached", {{"error", removed.error()}});
  }
  ignore(kernel::unlink(cache_.path("locks/" + key_)), "an unused lock does no harm");
}

std::string CacheSlot::entryPath() const {
  return cache_.path("entries/" + key_);
}

Result<std::optional<CachedFile>> CacheSlot::find() const {
  if (!kernel::exists(entryPath())) return std::optional<CachedFile>();
  auto file = openEntry(entryPath(), cache_.boot_);
  if (file) return std::optional(*std::move(file));
  log::info("dropping a cached file", {{"entry", key_}, {"reason", file.error()}});
  TRY_VOID(remove());
  return std::optional<CachedFile>();
}

Result<void> CacheSlot::touch() const {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  auto done = kernel::setTimesAt(kernel::workingDirectory(), entryPath() + "/about", now);
  // It had to go for another file meanwhile; who reads it goes on reading.
  if (!done && done.error().code() == Code::NotFound) return {};
  return done;
}

Result<void> CacheSlot::remove() const {
  TRY(const kernel::Fd all, cache_.lockAll());
  return kernel::removeTree(entryPath());
}

Result<const kernel::Fd*> CacheSlot::stage() {
  ENSURE(!staging_, "a slot stages one file");
  // Between the making of the directory and its lock nobody may take it for rubbish.
  TRY(const kernel::Fd all, cache_.lockAll());
  for (int number = 0;; ++number) {
    stagingPath_ = cache_.path(fmt::format("staging/{}-{}", ::getpid(), number));
    auto made = kernel::makeDirectoryAt(kernel::workingDirectory(), stagingPath_, kPrivate);
    if (made) break;
    if (made.error().code() != Code::AlreadyExists) return std::move(made).error();
  }
  TRY(staging_, kernel::open(stagingPath_, O_RDONLY | O_DIRECTORY));
  TRY([[maybe_unused]] const bool locked, kernel::lockFile(staging_, kernel::Lock::Exclusive, false));
  TRY(content_, kernel::openAt(staging_, "content", O_RDWR | O_CREAT | O_EXCL, kPrivateFile));
  return &content_;
}

Result<bool> CacheSlot::reserve(Bytes size) {
  const std::uint64_t limit = cache_.settings_.size.count;
  if (size.count > limit) return false;
  TRY(const kernel::Fd all, cache_.lockAll());
  // What somebody reserved who has died meanwhile.
  TRY_VOID(cache_.sweep());
  auto entries = listEntries(cache_.path("entries"));
  Bytes staged;
  for (const Entry& entry : listEntries(cache_.path("staging"))) {
    // Our own reservation is replaced.
    if (entry.path != stagingPath_) staged.count += entry.size.count;
  }
  if (staged.count + size.count > limit) return false;
  std::ranges::sort(entries, {}, &Entry::used);
  Bytes kept = sum(entries);
  for (const Entry& entry : entries) {
    if (staged.count + size.count + kept.count <= limit) break;
    log::info("a cached file makes room", {{"entry", entry.path}, {"size", toString(entry.size)}});
    TRY_VOID(kernel::removeTree(entry.path));
    kept.count -= entry.size.count;
  }
  TRY_VOID(kernel::truncate(content_, size.count));
  return true;
}

Result<CachedFile> CacheSlot::publish(CachedFile file) {
  TRY_VOID(kernel::truncate(content_, file.size.count));
  TRY(const kernel::Fd about, kernel::openAt(staging_, "about", O_WRONLY | O_CREAT | O_EXCL, kPrivateFile));
  TRY_VOID(kernel::writeAll(about, aboutToJson(file, cache_.boot_)));
  TRY(const kernel::Fd all, cache_.lockAll());
  TRY_VOID(kernel::removeTree(entryPath()));
  TRY_VOID(kernel::rename(stagingPath_, entryPath()));
  staging_.reset();
  TRY_VOID(kernel::rewind(content_));
  file.content = std::move(content_);
  file.checked = std::chrono::system_clock::now();
  return file;
}

}  // namespace gantry::fetcher
