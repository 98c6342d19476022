// The images on this node: which reference is which image, and which layers are still needed.
//
// Everything is in the store's directory, so that a restart knows what was known before:
//
//   refs/<escaped reference>.json   an image, as the fetcher answered
//   blobs/sha256/<hex>              manifests and configurations
//   layers/<chain id>/              unpacked layers, shared between images
//   staging/                        a running fetcher's; swept by the next one
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "async/task.hpp"
#include "base/bytes.hpp"
#include "fetcher/client.hpp"

namespace gantry::agent {

// Only used on the agent's thread.
class ImageStore {
 public:
  virtual ~ImageStore() = default;

  // The image behind `reference`. With `useCached` an image that is here is returned at once, without a process or a
  // packet; otherwise the registry is asked, and what has not changed is not transferred again. Pulls of the same
  // reference are shared: a second caller waits for the first one's, and a caller that is cancelled leaves the pull
  // running while others wait for it. `progress` may be empty. Errors as fetcher::Fetcher::pull.
  virtual async::Task<Result<fetcher::Image>> get(std::string reference, bool useCached,
                                                  fetcher::ProgressSink progress) = 0;

  struct Entry {
    fetcher::Image image;
    // Unix time of the pull, nanoseconds.
    std::int64_t pulled = 0;
  };
  // By reference.
  virtual std::vector<Entry> list() const = 0;
  // Forgets the image; its layers go with the next prune. NotFound when it is not here.
  virtual Result<void> forget(const std::string& reference) = 0;

  struct Pruned {
    std::size_t layers = 0;
    std::size_t blobs = 0;
  };
  // Deletes layers and blobs that belong to no known image and are not in `inUse` (the layer directories of containers
  // that exist). Busy while any pull is running.
  virtual async::Task<Result<Pruned>> prune(std::set<std::string> inUse) = 0;
};

}  // namespace gantry::agent
