#include "fetcher/pull/layer_pulls.hpp"

#include <algorithm>
#include <thread>

#include <fmt/format.h>

#include "fetcher/pull/lower_layers.hpp"
#include "kernel/poll.hpp"

namespace gantry::fetcher {
namespace {

// Each worker has two busy threads; more workers than cores keep the download going while others hash.
std::size_t workerCount() {
  constexpr std::size_t kFewest = 3;
  constexpr std::size_t kMost = 6;
  return std::clamp<std::size_t>(std::thread::hardware_concurrency(), kFewest, kMost);
}

}  // namespace

LayerPulls::LayerPulls(std::vector<WantedLayer> layers, ImageSource& source, Store& store, Limits limits,
                       std::function<void(const Progress&)> progress)
    : layers_(std::move(layers)),
      source_(source),
      store_(store),
      limits_(limits),
      progress_(std::move(progress)),
      needs_(layers_.size()) {}

Result<void> LayerPulls::run() {
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    if (!store_.hasLayer(layers_[i].chainId)) waiting_.push_back(i);
  }
  // The largest first: it decides when all are done.
  std::ranges::stable_sort(waiting_, {}, [&](std::size_t i) { return layers_[i].descriptor.size; });
  while (!waiting_.empty() || !running_.empty()) {
    while (!waiting_.empty() && running_.size() < workerCount()) TRY_VOID(startNext());
    TRY_VOID(waitForNews());
  }
  return completeAll();
}

Result<void> LayerPulls::startNext() {
  const std::size_t next = waiting_.back();
  waiting_.pop_back();
  const WantedLayer& layer = layers_[next];
  const auto named = [&](Error error) {
    return std::move(error).under(fmt::format("layer {}", layer.descriptor.digest.text()));
  };
  TRY(const kernel::Fd directory, store_.stageLayer(layer.chainId));
  auto blob = source_.layer(layer.descriptor);
  if (!blob) return named(std::move(blob).error());
  LayerJob job;
  if (source_.knowsLayerDigests()) job.digest = layer.descriptor.digest;
  job.size = layer.descriptor.size;
  job.diffId = layer.diffId;
  job.limits = {limits_.unpacked, limits_.entries};
  auto worker = LayerWorker::start(job, *blob, directory);
  if (!worker) return named(std::move(worker).error());
  running_.push_back({next, *std::move(worker), {}});
  return {};
}

Result<void> LayerPulls::waitForNews() {
  std::vector<const kernel::Fd*> connections;
  for (const Running& each : running_) connections.push_back(&each.worker.connection());
  TRY(const auto ready, kernel::waitReadable(connections));
  std::size_t position = 0;
  for (auto each = running_.begin(); each != running_.end(); ++position) {
    bool isDone = false;
    if (ready[position]) {
      TRY(isDone, hear(*each));
    }
    each = isDone ? running_.erase(each) : std::next(each);
  }
  return checkLimits();
}

Result<bool> LayerPulls::hear(Running& running) {
  const WantedLayer& layer = layers_[running.layer];
  auto news = running.worker.receive();
  if (!news) return explain(layer, std::move(news).error());
  if (!*news) return false;
  if (const auto* progress = std::get_if<LayerProgress>(&**news)) {
    running.progress = *progress;
    report(layer, *progress);
    return false;
  }
  auto& unpacked = std::get<LayerUnpacked>(**news);
  needs_[running.layer] = std::move(unpacked.needs);
  finished_.written.count += unpacked.final.written.count;
  finished_.entries += unpacked.final.entries;
  report(layer, unpacked.final);
  return true;
}

// A worker knows its own layer only; the limits are for the image.
Result<void> LayerPulls::checkLimits() const {
  LayerProgress sum = finished_;
  for (const Running& each : running_) {
    sum.written.count += each.progress.written.count;
    sum.entries += each.progress.entries;
  }
  if (sum.written > limits_.unpacked) {
    return Error(Code::Exhausted, fmt::format("the layers unpack to more than {}", toString(limits_.unpacked)));
  }
  if (sum.entries > limits_.entries) {
    return Error(Code::Exhausted, fmt::format("the layers have more than {} entries", limits_.entries));
  }
  return {};
}

void LayerPulls::report(const WantedLayer& layer, const LayerProgress& progress) const {
  progress_({layer.descriptor.digest, Progress::Step::Download, progress.read, Bytes{layer.descriptor.size}});
  progress_({layer.descriptor.digest, Progress::Step::Unpack, progress.written, {}});
}

Error LayerPulls::explain(const WantedLayer& layer, Error error) {
  const auto name = fmt::format("layer {}", layer.descriptor.digest.text());
  if (error.code() == Code::InvalidArgument) {
    if (auto reason = source_.whyLayerFailed(layer.descriptor)) return std::move(*reason).under(name);
  }
  return std::move(error).under(name);
}

Result<void> LayerPulls::completeAll() {
  Bytes left{limits_.unpacked.count - std::min(limits_.unpacked.count, finished_.written.count)};
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    if (needs_[i].isEmpty()) continue;
    std::vector<kernel::Fd> below;
    for (std::size_t j = 0; j < i; ++j) {
      TRY(auto lower, store_.openLayer(layers_[j].chainId));
      below.push_back(std::move(lower));
    }
    TRY(const kernel::Fd layer, store_.openLayer(layers_[i].chainId));
    TRY_VOID(LowerLayers(std::move(below), left)
                 .complete(layer, needs_[i])
                 .under(fmt::format("layer {}", layers_[i].descriptor.digest.text())));
  }
  return {};
}

}  // namespace gantry::fetcher
