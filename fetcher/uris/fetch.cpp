#include "fetcher/uris/fetch.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/log.hpp"
#include "fetcher/pull/trust.hpp"
#include "fetcher/uris/cache.hpp"
#include "fetcher/uris/copy.hpp"
#include "fetcher/uris/downloader.hpp"
#include "fetcher/uris/local_file.hpp"
#include "fetcher/uris/sandbox_worker.hpp"
#include "fetcher/uris/target.hpp"
#include "kernel/file.hpp"
#include "kernel/poll.hpp"

namespace gantry::fetcher {
namespace {

using Clock = std::chrono::system_clock;

constexpr mode_t kExecutable = 0755;
constexpr mode_t kPlainFile = 0644;
constexpr std::size_t kBuffer = 256U << 10U;
// By how much room in the cache grows for a file whose size nobody tells.
constexpr std::uint64_t kRoomStep = 4U << 20U;
constexpr auto kProgressInterval = std::chrono::milliseconds(200);

// A file of this host, opened for its reader.
struct LocalFile {
  kernel::Fd file;
  Bytes size;
  mode_t mode = kPlainFile;
  Version version;
};

Result<LocalFile> openLocal(const std::string& path, const UriUser& user) {
  LocalFile local;
  TRY(local.file, openAsUser(path, user));
  TRY(const struct stat status, kernel::statAt(local.file, "", AT_EMPTY_PATH));
  local.size.count = static_cast<std::uint64_t>(status.st_size);
  local.mode = status.st_mode & 0777 & ~mode_t{022};
  // The time of the last change of any kind, which nobody can set back.
  local.version.stamp = fmt::format("{} {} {}.{} {}", status.st_dev, status.st_ino, status.st_ctim.tv_sec,
                                    status.st_ctim.tv_nsec, status.st_size);
  return local;
}

// It cannot be asked now whether a file is still the same; it was told nothing to the contrary.
bool isOutOfReach(const Error& error) {
  return error.code() == Code::Unavailable || error.code() == Code::Timeout;
}

class Fetch {
 public:
  Fetch(const UriRequest& request, const std::function<void(const UriProgress&)>& progress)
      : request_(request), progress_(progress) {}

  Result<FetchedUris> run() {
    // What is wrong with a URI is known before anything is fetched.
    std::vector<Target> targets;
    for (const Uri& uri : request_.uris) {
      TRY(Target target, targetOf(uri, request_.frameworksHome).under(nameOf(uri)));
      targets.push_back(std::move(target));
    }
    if (targets.empty()) return fetched_;
    TRY_VOID(openPlaces());
    for (std::size_t i = 0; i < targets.size(); ++i) {
      index_ = i;
      const Uri& uri = request_.uris[i];
      TRY_VOID(fetchOne(uri, targets[i]).under(nameOf(uri)));
    }
    if (cache_) {
      TRY(fetched_.cacheUsed, cache_->used());
    }
    return fetched_;
  }

 private:
  static std::string nameOf(const Uri& uri) { return quoted(withoutPassword(uri.value)); }

  Result<void> openPlaces() {
    TRY(const kernel::Fd sandbox, kernel::open(request_.sandbox, O_RDONLY | O_DIRECTORY | O_NOFOLLOW).under("sandbox"));
    TRY(auto worker, SandboxWorker::start(request_.user, request_.limits, sandbox).under("sandbox"));
    sandbox_ = std::move(worker);
    const auto isCached = [](const Uri& uri) { return uri.cache; };
    if (!request_.cache.directory.empty() && std::ranges::any_of(request_.uris, isCached)) {
      if (auto cache = Cache::open(request_.cache)) {
        cache_.emplace(*std::move(cache));
      } else {
        log::warning("fetching without the cache", {{"reason", cache.error()}});
      }
    }
    return {};
  }

  Result<void> fetchOne(const Uri& uri, const Target& target) {
    log::info("fetching", {{"uri", withoutPassword(uri.value)}, {"to", target.path.text()}});
    if (uri.cache && cache_) {
      TRY(auto cached, fetchIntoCache(target));
      if (cached) return takeFromCache(*cached, uri, target);
    }
    TRY(const mode_t mode, storeDirectly(target));
    TRY_VOID(sandbox_->keep(target.path, uri.executable ? kExecutable : mode));
    return unpack(uri, target, {});
  }

  // --- into the sandbox

  SandboxWorker::Written reporting(UriProgress::Step step, Bytes total) {
    return [this, step, total](Bytes done) { progress_({.uri = index_, .step = step, .done = done, .total = total}); };
  }

  // Returns the mode that the file gets unless it is made executable.
  Result<mode_t> storeDirectly(const Target& target) {
    if (target.source == Target::Source::Local) {
      TRY(const LocalFile local, openLocal(target.location, request_.user));
      TRY(const Bytes size, sandbox_->store(local.file, reporting(UriProgress::Step::Download, local.size)));
      fetched_.transferred.count += size.count;
      return local.mode;
    }
    TRY(kernel::Fd content, startDownload(target, {}));
    TRY_VOID(storeFromPipe(std::move(content)));
    return kPlainFile;
  }

  Result<void> takeFromCache(const CachedFile& cached, const Uri& uri, const Target& target) {
    if (target.packing != Packing::None) return unpack(uri, target, cached.content);
    TRY_VOID(sandbox_->store(cached.content, {}));
    return sandbox_->keep(target.path, uri.executable ? kExecutable : cached.mode);
  }

  Result<void> unpack(const Uri& uri, const Target& target, const kernel::Fd& content) {
    if (target.packing == Packing::None) {
      if (uri.extract && !uri.executable) {
        log::debug("left as it is: its name is not that of an archive", {{"uri", withoutPassword(uri.value)}});
      }
      return {};
    }
    const auto written = reporting(UriProgress::Step::Unpack, {});
    return sandbox_->unpack(content, target.packing, target.path.leaf(), written).under("unpack");
  }

  // --- from servers

  Result<kernel::Fd> startDownload(const Target& target, const Version& known) {
    if (!downloader_) {
      Download::Options options{.stallTimeout = request_.stallTimeout, .certificates = {}};
      TRY(options.certificates, readCertificates(request_.caFile));
      TRY(auto downloader, Downloader::start(options));
      downloader_ = std::move(downloader);
    }
    return downloader_->get(target.location, known);
  }

  // The download that writes into `content` goes into the sandbox.
  Result<void> storeFromPipe(kernel::Fd content) {
    TRY_VOID(sandbox_->startStore(content));
    content.reset();
    Bytes total;
    std::optional<Result<void>> downloaded;
    std::optional<Result<Bytes>> stored;
    while (!downloaded || !stored) {
      TRY(const auto ready, kernel::waitReadable({downloaded ? nullptr : &downloader_->connection(),
                                                  stored ? nullptr : &sandbox_->connection()}));
      if (ready[0]) {
        auto news = downloader_->hear();
        if (!news) {
          downloaded = std::move(news).error();
        } else if (const auto* head = std::get_if<DownloadHead>(&*news)) {
          if (head->size) total = *head->size;
        } else {
          downloaded = Result<void>();
        }
      }
      if (ready[1]) {
        auto heard = sandbox_->hear(reporting(UriProgress::Step::Download, total));
        if (!heard) {
          stored = std::move(heard).error();
        } else if (*heard) {
          stored = **heard;
        }
      }
    }
    // A download that nobody reads any more fails, too, but is not to blame.
    if (!*stored) return std::move(*stored).error();
    if (*downloaded) {
      fetched_.transferred.count += (*stored)->count;
      return {};
    }
    ignore(sandbox_->drop(), "the next fetch removes it");
    return std::move(*downloaded);
  }

  // --- through the cache

  // Nothing when the file cannot be cached.
  Result<std::optional<CachedFile>> fetchIntoCache(const Target& target) {
    TRY(CacheSlot slot, cache_->lock(request_.user.uid, target.location));
    TRY(std::optional<CachedFile> cached, slot.find());
    if (target.source == Target::Source::Local) return copyIntoCache(slot, target, std::move(cached));
    // Somebody else fetched or checked it while we waited; or there is no way to check it.
    if (cached && (cached->checked >= started_ || !cached->version.isKnown())) return use(slot, *std::move(cached));
    return downloadIntoCache(slot, target, std::move(cached));
  }

  Result<std::optional<CachedFile>> use(const CacheSlot& slot, CachedFile cached) {
    TRY_VOID(slot.touch());
    ++fetched_.fromCache;
    return std::optional(std::move(cached));
  }

  Result<std::optional<CachedFile>> publish(CacheSlot& slot, CachedFile file) {
    fetched_.transferred.count += file.size.count;
    TRY(CachedFile published, slot.publish(std::move(file)));
    return std::optional(std::move(published));
  }

  Result<std::optional<CachedFile>> copyIntoCache(CacheSlot& slot, const Target& target,
                                                  std::optional<CachedFile> cached) {
    // Opened each time: the user may have lost the right to read it.
    TRY(const LocalFile local, openLocal(target.location, request_.user));
    if (cached && cached->version == local.version) return use(slot, *std::move(cached));
    TRY(const kernel::Fd* staged, slot.stage());
    TRY(const bool hasRoom, slot.reserve(local.size));
    if (!hasRoom) return pastTheCache();
    const auto copied = copyAll(local.file, *staged, [&](Bytes done) -> Result<void> {
      if (done > local.size) return Error(Code::Unavailable, "it grows while it is copied");
      report(done, local.size);
      return {};
    });
    if (!copied) return pastTheCache(copied.error());
    return publish(slot, {.size = *copied, .mode = local.mode, .version = local.version});
  }

  Result<std::optional<CachedFile>> downloadIntoCache(CacheSlot& slot, const Target& target,
                                                      std::optional<CachedFile> cached) {
    TRY(kernel::Fd content, startDownload(target, cached ? cached->version : Version()));
    auto news = downloader_->hear();
    if (!news && cached && isOutOfReach(news.error())) {
      log::warning("a cached file is used without asking whether it is still the same",
                   {{"uri", withoutPassword(target.location)}, {"reason", news.error()}});
      return use(slot, *std::move(cached));
    }
    if (!news) {
      if (cached) ignore(slot.remove(), "it is checked the next time, too");
      return std::move(news).error();
    }
    if (std::holds_alternative<Downloader::Unchanged>(*news)) return use(slot, *std::move(cached));
    const auto* head = std::get_if<DownloadHead>(&*news);
    if (head == nullptr) return Error(Code::Internal, "the download ended before it began");
    TRY(const kernel::Fd* staged, slot.stage());
    const auto filled = fill(slot, *staged, content, *head);
    content.reset();
    auto ended = endDownload();
    if (!filled) return pastTheCache(filled.error());
    if (!*filled) return pastTheCache();
    TRY_VOID(std::move(ended));
    return publish(slot, {.size = **filled, .version = head->version});
  }

  // Moves what comes through the pipe into the staged file; returns how much came. Nothing when there is no room.
  Result<std::optional<Bytes>> fill(CacheSlot& slot, const kernel::Fd& staged, const kernel::Fd& content,
                                    const DownloadHead& head) {
    Bytes done;
    const auto roomForMore = [&] {
      return Bytes{std::max(done.count, std::min(done.count + kRoomStep, request_.cache.size.count))};
    };
    Bytes room = head.size ? *head.size : roomForMore();
    std::vector<char> buffer(kBuffer);
    TRY(bool hasRoom, slot.reserve(room));
    while (hasRoom) {
      TRY(const std::size_t count, kernel::readNext(content, buffer.data(), buffer.size()));
      if (count == 0) return std::optional(done);
      done.count += count;
      if (done > room) {
        room = roomForMore();
        TRY(hasRoom, slot.reserve(room));
      }
      TRY_VOID(kernel::writeAll(staged, std::string_view(buffer.data(), count)));
      report(done, head.size ? *head.size : Bytes());
    }
    return std::optional<Bytes>();
  }

  // How the download ended whose pipe is closed.
  Result<void> endDownload() const {
    while (true) {
      TRY(const auto news, downloader_->hear());
      if (!std::holds_alternative<DownloadHead>(news)) return {};
    }
  }

  static Result<std::optional<CachedFile>> pastTheCache(const Error& reason = {Code::Exhausted,
                                                                               "the cache has no room for it"}) {
    log::info("fetching past the cache", {{"reason", reason}});
    return std::optional<CachedFile>();
  }

  void report(Bytes done, Bytes total) {
    const auto now = std::chrono::steady_clock::now();
    if (now - reported_ < kProgressInterval) return;
    reported_ = now;
    progress_({.uri = index_, .step = UriProgress::Step::Download, .done = done, .total = total});
  }

  const UriRequest& request_;
  const std::function<void(const UriProgress&)>& progress_;
  const Clock::time_point started_ = Clock::now();
  std::optional<SandboxWorker> sandbox_;
  std::optional<Downloader> downloader_;
  std::optional<Cache> cache_;
  FetchedUris fetched_;
  std::size_t index_ = 0;
  std::chrono::steady_clock::time_point reported_;
};

}  // namespace

Result<FetchedUris> fetchUris(const UriRequest& request, const std::function<void(const UriProgress&)>& progress) {
  if (::geteuid() != 0) return Error(Code::PermissionDenied, "fetching for another user takes root");
  return Fetch(request, progress).run();
}

}  // namespace gantry::fetcher
