// Where an image comes from, as the pull sees it. What a source gives is not trusted: the pull checks every digest.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "fetcher/messages.hpp"
#include "fetcher/pull/layer_worker.hpp"
#include "oci/image.hpp"

namespace gantry::fetcher {

struct Document {
  std::string bytes;
  // What the source says it is; may be empty.
  std::string mediaType;
};

class ImageSource {
 public:
  virtual ~ImageSource() = default;

  // The manifest or index the reference leads to. NotFound names the reference.
  virtual Result<Document> root() = 0;
  // A manifest, an index or a configuration that another document named. Not more than `limit` bytes.
  virtual Result<Document> document(const oci::Descriptor& descriptor, Bytes limit) = 0;
  // A layer's bytes, to be read by a worker.
  virtual Result<BlobStream> layer(const oci::Descriptor& descriptor) = 0;
  // After a worker found the layer's stream to be bad: why it is, if the source knows.
  virtual std::optional<Error> whyLayerFailed(const oci::Descriptor& descriptor) = 0;
  // False when layers are named by their diff ids only, so that the compressed bytes have no digest to check.
  virtual bool knowsLayerDigests() const = 0;
};

// Starts what `request.reference`, which reads as `reference`, needs: a child for a registry or an archive.
Result<std::unique_ptr<ImageSource>> openSource(const PullRequest& request, const Reference& reference);

}  // namespace gantry::fetcher
