// An image in what `docker save` writes: manifest.json names a configuration and one tar per layer, none of them by
// descriptor. We make the manifest such an image would have; its layers' digests are their diff ids.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "fetcher/pull/file_tree.hpp"
#include "fetcher/pull/source.hpp"

namespace gantry::fetcher {

class DockerArchiveSource final : public ImageSource {
 public:
  // `scratch` is for an archive that is compressed.
  static Result<std::unique_ptr<ImageSource>> open(const LocalReference& where, const std::string& scratch,
                                                   Limits limits);

  Result<Document> root() override;
  Result<Document> document(const oci::Descriptor& descriptor, Bytes limit) override;
  Result<BlobStream> layer(const oci::Descriptor& descriptor) override;
  std::optional<Error> whyLayerFailed(const oci::Descriptor& /*descriptor*/) override { return {}; }
  bool knowsLayerDigests() const override { return false; }

 private:
  DockerArchiveSource(LocalReference where, Limits limits, std::unique_ptr<FileTree> files)
      : where_(std::move(where)), limits_(limits), files_(std::move(files)) {}

  const LocalReference where_;
  const Limits limits_;
  std::unique_ptr<FileTree> files_;
  std::string config_;
  // Diff id -> path in the archive.
  std::map<std::string, std::string> layers_;
};

}  // namespace gantry::fetcher
