// An image in an OCI image layout (image-spec, image-layout.md), a directory or a tar of one.
#pragma once

#include <memory>

#include "fetcher/pull/file_tree.hpp"
#include "fetcher/pull/source.hpp"

namespace gantry::fetcher {

class LayoutSource final : public ImageSource {
 public:
  // `scratch` is for an archive that is compressed.
  static Result<std::unique_ptr<ImageSource>> open(const LocalReference& where, const std::string& scratch,
                                                   Limits limits);

  Result<Document> root() override;
  Result<Document> document(const oci::Descriptor& descriptor, Bytes limit) override;
  Result<BlobStream> layer(const oci::Descriptor& descriptor) override;
  std::optional<Error> whyLayerFailed(const oci::Descriptor& /*descriptor*/) override { return {}; }
  bool knowsLayerDigests() const override { return true; }

 private:
  LayoutSource(LocalReference where, Limits limits, std::unique_ptr<FileTree> files)
      : where_(std::move(where)), limits_(limits), files_(std::move(files)) {}

  const LocalReference where_;
  const Limits limits_;
  std::unique_ptr<FileTree> files_;
};

}  // namespace gantry::fetcher
