// Unpacks the layers of one image that the store does not have, a few at a time.
#pragma once

#include <functional>
#include <list>
#include <vector>

#include "base/result.hpp"
#include "fetcher/messages.hpp"
#include "fetcher/pull/layer_worker.hpp"
#include "fetcher/pull/source.hpp"
#include "fetcher/pull/store.hpp"
#include "oci/image.hpp"

namespace gantry::fetcher {

struct WantedLayer {
  oci::Descriptor descriptor;
  oci::Digest diffId;
  oci::Digest chainId;
};

class LayerPulls {
 public:
  // `layers`: all of the image's, bottom first. References are kept.
  LayerPulls(std::vector<WantedLayer> layers, ImageSource& source, Store& store, Limits limits,
             std::function<void(const Progress&)> progress);

  // Stages what is missing, complete but for being published. An error names the layer by its digest.
  Result<void> run();

 private:
  struct Running {
    std::size_t layer;
    LayerWorker worker;
    LayerProgress progress;
  };

  Result<void> startNext();
  Result<void> waitForNews();
  // True when the layer is done.
  Result<bool> hear(Running& running);
  Result<void> checkLimits() const;
  void report(const WantedLayer& layer, const LayerProgress& progress) const;
  Result<void> completeAll();
  Error explain(const WantedLayer& layer, Error error);

  const std::vector<WantedLayer> layers_;
  ImageSource& source_;
  Store& store_;
  const Limits limits_;
  const std::function<void(const Progress&)> progress_;
  // Positions in layers_, the next one at the back.
  std::vector<std::size_t> waiting_;
  std::list<Running> running_;
  // What finished layers took.
  LayerProgress finished_;
  std::vector<LayerNeeds> needs_;
};

}  // namespace gantry::fetcher
