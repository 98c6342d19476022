#include "agent/images/node_images.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <list>

#include <fmt/format.h>

#include "agent/images/prune.hpp"
#include "agent/images/record.hpp"
#include "async/event.hpp"
#include "base/log.hpp"
#include "fetcher/reference.hpp"
#include "kernel/file.hpp"

namespace gantry::agent {

// One pull and all who wait for it.
struct NodeImages::PullInFlight {
  explicit PullInFlight(const async::Executor& executor) : over(executor) {}

  // Set with the result, or when nobody waits any more.
  async::Event over;
  std::optional<Result<fetcher::Image>> result;
  std::list<fetcher::ProgressSink> sinks;
};

NodeImages::NodeImages(async::Executor executor, fetcher::Fetcher& fetcher, async::WorkerPool& workers,
                       PullTemplate pulls)
    : executor_(std::move(executor)),
      fetcher_(fetcher),
      workers_(workers),
      pulls_(std::move(pulls)),
      scope_(executor_) {}
NodeImages::~NodeImages() = default;

Result<std::unique_ptr<NodeImages>> NodeImages::open(async::Executor executor, fetcher::Fetcher& fetcher,
                                                     async::WorkerPool& workers, PullTemplate pulls) {
  std::unique_ptr<NodeImages> images(new NodeImages(std::move(executor), fetcher, workers, std::move(pulls)));
  TRY_VOID(images->load().under("image store"));
  return images;
}

Result<void> NodeImages::load() {
  const std::string directory = pulls_.store + "/refs";
  TRY_VOID(kernel::makeDirectories(directory, 0700));
  TRY(const auto names, kernel::listDirectory(directory));
  for (const std::string& name : names) {
    const std::string path = fmt::format("{}/{}", directory, name);
    auto record = readRecord(path);
    if (record) {
      const std::string reference = record->image.reference;
      images_.insert_or_assign(reference, *std::move(record));
      if (findWhole(reference) != nullptr) continue;
      images_.erase(reference);
    }
    log::warning("an image's record is dropped",
                 {{"file", path}, {"reason", record ? "its layers are gone" : record.error().message()}});
    TRY_VOID(kernel::unlink(path));
  }
  return {};
}

Result<std::string> NodeImages::canonical(const std::string& reference) const {
  TRY(const auto parsed, fetcher::Reference::parse(reference, pulls_.defaultRegistry));
  return parsed.canonical();
}

const fetcher::Image* NodeImages::findWhole(const std::string& reference) const {
  const auto found = images_.find(reference);
  if (found == images_.end()) return nullptr;
  const auto& layers = found->second.image.layers;
  const auto isHere = [](const fetcher::Layer& layer) { return kernel::exists(layer.directory); };
  return std::ranges::all_of(layers, isHere) ? &found->second.image : nullptr;
}

async::Task<Result<fetcher::Image>> NodeImages::get(std::string reference, bool useCached,
                                                    fetcher::ProgressSink progress) {
  CO_TRY(const std::string key, canonical(reference));
  if (useCached) {
    if (const fetcher::Image* image = findWhole(key)) co_return *image;
  }
  auto& place = inFlight_[key];
  if (!place) {
    place = std::make_shared<PullInFlight>(executor_);
    scope_.spawn(runPull(key, place));
  }
  const auto pull = place;
  const auto sink = pull->sinks.insert(pull->sinks.end(), std::move(progress));
  const auto waited = co_await pull->over.wait();
  pull->sinks.erase(sink);
  if (pull->result) co_return *pull->result;
  if (!waited) {
    if (pull->sinks.empty()) {
      // The last one has left. Whoever comes next starts anew.
      if (const auto mine = inFlight_.find(key); mine != inFlight_.end() && mine->second == pull) inFlight_.erase(mine);
      pull->over.set();
    }
    co_return waited.error();
  }
  co_return Error(Code::Cancelled, fmt::format("the pull of '{}' was given up", reference));
}

// Lives as long as the pull's process: cancels it when nobody wants it any more.
async::Task<> NodeImages::runPull(std::string reference, std::shared_ptr<PullInFlight> pull) {
  async::Scope scope(executor_);
  scope.spawn(fetch(reference, pull));
  auto waited = co_await pull->over.wait();
  ignore(std::move(waited), "cancelled with the store: the fetch is, too");
  if (!pull->result) scope.cancel();
  co_await scope.join();
  pull->over.set();
  if (const auto mine = inFlight_.find(reference); mine != inFlight_.end() && mine->second == pull) {
    inFlight_.erase(mine);
  }
}

async::Task<> NodeImages::fetch(std::string reference, std::shared_ptr<PullInFlight> pull) {
  auto result = co_await fetchAndRecord(reference, pull);
  pull->result.emplace(std::move(result));
  pull->over.set();
}

async::Task<Result<fetcher::Image>> NodeImages::fetchAndRecord(std::string reference,
                                                               std::shared_ptr<PullInFlight> pull) {
  fetcher::PullRequest request = pulls_;
  request.reference = reference;
  fetcher::ProgressSink toAll = [pull](const fetcher::Progress& progress) {
    for (const auto& sink : pull->sinks) {
      if (sink) sink(progress);
    }
  };
  CO_TRY(const fetcher::Image image, co_await fetcher_.pull(std::move(request), std::move(toAll)));
  std::function<Result<Entry>()> write = [path = recordPath(reference), image] { return writeRecord(path, image); };
  auto written = co_await workers_.run(std::move(write));
  if (!written) co_return std::move(written).error().under("record the image");
  images_.insert_or_assign(reference, *std::move(written));
  co_return image;
}

std::vector<ImageStore::Entry> NodeImages::list() const {
  std::vector<Entry> entries;
  for (const auto& [reference, entry] : images_) entries.push_back(entry);
  return entries;
}

Result<void> NodeImages::forget(const std::string& reference) {
  TRY(const std::string key, canonical(reference));
  if (!images_.contains(key)) return Error(Code::NotFound, fmt::format("image '{}' is not here", reference));
  TRY_VOID(kernel::unlink(recordPath(key)));
  images_.erase(key);
  return {};
}

async::Task<Result<ImageStore::Pruned>> NodeImages::prune(std::set<std::string> inUse) {
  if (!inFlight_.empty()) co_return Error(Code::Busy, "an image is being pulled");
  CO_TRY(kernel::Fd locked, lockStore(pulls_.store));
  const auto lock = std::make_shared<kernel::Fd>(std::move(locked));
  Needed needed;
  needed.layers = std::move(inUse);
  for (const auto& [reference, entry] : images_) {
    for (const fetcher::Layer& layer : entry.image.layers) needed.layers.insert(layer.directory);
    needed.blobs.insert(std::string(entry.image.manifestDigest.hex()));
    needed.blobs.insert(std::string(entry.image.configDigest.hex()));
  }
  std::function<Result<Pruned>()> work = [lock, store = pulls_.store, needed = std::move(needed)] {
    const kernel::Fd held = std::move(*lock);
    return pruneStore(store, needed);
  };
  co_return co_await workers_.run(std::move(work));
}

async::Task<> NodeImages::close() {
  scope_.cancel();
  co_await scope_.join();
}

std::string NodeImages::recordPath(const std::string& reference) const {
  return fmt::format("{}/refs/{}", pulls_.store, recordName(reference));
}

}  // namespace gantry::agent
