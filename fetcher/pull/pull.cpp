#include "fetcher/pull/pull.hpp"

#include <unistd.h>

#include <fmt/format.h>

#include "base/log.hpp"
#include "fetcher/pull/hash.hpp"
#include "fetcher/pull/layer_pulls.hpp"
#include "fetcher/pull/source.hpp"
#include "fetcher/pull/store.hpp"

namespace gantry::fetcher {
namespace {

// An index may name an index, but not without end.
constexpr int kMaxIndexDepth = 4;

struct FoundManifest {
  oci::Digest digest;
  oci::Manifest manifest;
};

class Pull {
 public:
  Pull(const PullRequest& request, Reference reference, std::unique_ptr<ImageSource> source, Store store,
       const std::function<void(const Progress&)>& progress)
      : request_(request),
        reference_(std::move(reference)),
        source_(std::move(source)),
        store_(std::move(store)),
        progress_(progress) {}

  Result<Image> run() {
    TRY(const FoundManifest found, findManifest().under("manifest"));
    TRY(const std::string configJson, fetchConfig(found.manifest.config).under("image configuration"));
    TRY(const oci::ImageConfig config, oci::parseImageConfig(configJson).under("image configuration"));
    TRY(auto layers, listLayers(found.manifest, config));
    warnOfPlatform(config);
    TRY_VOID(LayerPulls(layers, *source_, store_, request_.limits, progress_).run());
    TRY_VOID(store_.publish().under("publish the image"));

    Image image;
    image.reference = reference_.canonical();
    image.manifestDigest = found.digest;
    image.configDigest = found.manifest.config.digest;
    image.size = Bytes{found.manifest.config.size};
    for (const WantedLayer& layer : layers) {
      image.size.count += layer.descriptor.size;
      image.layers.push_back(
          {layer.chainId, layer.diffId, layer.descriptor.digest, store_.layerDirectory(layer.chainId)});
    }
    image.configJson = configJson;
    return image;
  }

 private:
  Result<FoundManifest> findManifest() {
    TRY(Document document, fetchRoot());
    for (int depth = 0; depth < kMaxIndexDepth; ++depth) {
      const oci::Digest digest = digestOf(document.bytes);
      TRY(auto parsed, oci::parseManifestDocument(document.bytes, document.mediaType));
      TRY_VOID(store_.stageBlob(digest, document.bytes));
      if (auto* manifest = std::get_if<oci::Manifest>(&parsed)) return FoundManifest{digest, std::move(*manifest)};
      TRY(const auto chosen, oci::selectPlatform(std::get<oci::Index>(parsed), request_.platform));
      TRY(document, fetchDocument(chosen, request_.limits.manifest));
    }
    return Error(Code::InvalidArgument, fmt::format("an index names an index, {} deep", kMaxIndexDepth));
  }

  // A digest in the reference is checked like one in a document; and what it names may be here already.
  Result<Document> fetchRoot() {
    const RegistryReference* registry = reference_.registry();
    const bool isPinned = registry != nullptr && registry->digest.has_value();
    if (isPinned) {
      if (auto kept = store_.readBlob(*registry->digest, request_.limits.manifest.count)) {
        return Document{*std::move(kept), {}};
      }
    }
    TRY(Document document, source_->root());
    if (isPinned) TRY_VOID(verify(*registry->digest, document.bytes));
    return document;
  }

  Result<Document> fetchDocument(const oci::Descriptor& descriptor, Bytes limit) {
    if (descriptor.size > limit.count) {
      return Error(Code::Exhausted, fmt::format("'{}' has {} bytes, {} are allowed", descriptor.digest.text(),
                                                descriptor.size, limit.count));
    }
    if (auto kept = store_.readBlob(descriptor.digest, limit.count)) {
      return Document{*std::move(kept), descriptor.mediaType};
    }
    TRY(Document document, source_->document(descriptor, limit));
    if (document.bytes.size() != descriptor.size) {
      return Error(Code::InvalidArgument,
                   fmt::format("'{}' has {} bytes, not the {} of its descriptor", descriptor.digest.text(),
                               document.bytes.size(), descriptor.size));
    }
    TRY_VOID(verify(descriptor.digest, document.bytes));
    return document;
  }

  static Result<void> verify(const oci::Digest& wanted, std::string_view bytes) {
    const oci::Digest actual = digestOf(bytes, wanted.algorithm());
    if (actual == wanted) return {};
    return Error(Code::InvalidArgument,
                 fmt::format("'{}' has the wrong digest: its content is {}", wanted.text(), actual.text()));
  }

  Result<std::string> fetchConfig(const oci::Descriptor& descriptor) {
    TRY(Document document, fetchDocument(descriptor, request_.limits.config));
    TRY_VOID(store_.stageBlob(descriptor.digest, document.bytes));
    return std::move(document.bytes);
  }

  Result<std::vector<WantedLayer>> listLayers(const oci::Manifest& manifest, const oci::ImageConfig& config) const {
    if (manifest.layers.empty()) return Error(Code::Unsupported, "manifest: layers: is empty; there is nothing to run");
    if (manifest.layers.size() > request_.limits.layers) {
      return Error(Code::Exhausted, fmt::format("manifest: layers: has {} entries, {} are allowed",
                                                manifest.layers.size(), request_.limits.layers));
    }
    if (manifest.layers.size() != config.diffIds.size()) {
      return Error(Code::InvalidArgument,
                   fmt::format("image configuration: rootfs.diff_ids: has {} entries for {} layers",
                               config.diffIds.size(), manifest.layers.size()));
    }
    std::vector<WantedLayer> layers;
    oci::Digest below;
    for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
      below = chainId(below, config.diffIds[i]);
      layers.push_back({manifest.layers[i], config.diffIds[i], below});
    }
    return layers;
  }

  // Images without an index say what they are for in their configuration only; they may yet run by emulation.
  void warnOfPlatform(const oci::ImageConfig& config) const {
    const auto offered = oci::normalized(config.platform);
    const auto wanted = oci::normalized(request_.platform);
    if (offered.architecture.empty() || (offered.os == wanted.os && offered.architecture == wanted.architecture))
      return;
    log::warning("the image is for another platform",
                 {{"image", reference_.canonical()}, {"platform", offered.text()}, {"wanted", wanted.text()}});
  }

  const PullRequest& request_;
  const Reference reference_;
  std::unique_ptr<ImageSource> source_;
  Store store_;
  const std::function<void(const Progress&)>& progress_;
};

}  // namespace

Result<Image> pull(const PullRequest& request, const std::function<void(const Progress&)>& progress) {
  if (::geteuid() != 0) {
    return Error(Code::PermissionDenied, "unpacking layers takes root: owners, devices and trusted attributes");
  }
  TRY(auto reference, Reference::parse(request.reference, request.defaultRegistry));
  const auto purpose = fmt::format("image '{}'", request.reference);
  // The child of a source is forked first, while there is nothing yet that it should not have.
  TRY(auto source, openSource(request, reference).under(purpose));
  TRY(auto store, Store::open(request.store).under("image store"));
  return Pull(request, std::move(reference), std::move(source), std::move(store), progress).run().under(purpose);
}

}  // namespace gantry::fetcher
