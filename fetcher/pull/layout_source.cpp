#include "fetcher/pull/layout_source.hpp"

#include <vector>

#include <fmt/format.h>

namespace gantry::fetcher {
namespace {

constexpr std::string_view kRefName = "org.opencontainers.image.ref.name";

std::string blobPath(const oci::Digest& digest) {
  return fmt::format("blobs/{}/{}", digest.algorithmName(), digest.hex());
}

}  // namespace

Result<std::unique_ptr<ImageSource>> LayoutSource::open(const LocalReference& where, const std::string& scratch,
                                                        Limits limits) {
  TRY(auto files, where.kind == LocalReference::Kind::OciLayout
                      ? openDirectoryTree(where.path)
                      : openArchiveTree(where.path, scratch, limits.unpacked));
  return std::unique_ptr<ImageSource>(new LayoutSource(where, limits, std::move(files)));
}

Result<Document> LayoutSource::root() {
  TRY(const FilePart marker, files_->open("oci-layout").under("not an OCI image layout"));
  TRY(const FilePart file, files_->open("index.json"));
  TRY(std::string json, file.read(limits_.manifest).under("index.json"));
  TRY(auto parsed, oci::parseManifestDocument(json, oci::media::kOciIndex).under("index.json"));
  const auto* index = std::get_if<oci::Index>(&parsed);
  if (index == nullptr) return Error(Code::InvalidArgument, "index.json: is no index");

  std::vector<const oci::Descriptor*> named;
  for (const oci::Descriptor& each : index->manifests) {
    const auto name = each.annotations.find(std::string(kRefName));
    if (!where_.name || (name != each.annotations.end() && name->second == *where_.name)) named.push_back(&each);
  }
  // Several images without a name: only a platform can tell them apart.
  if (!where_.name && named.size() > 1) return Document{std::move(json), std::string(oci::media::kOciIndex)};
  if (named.empty()) {
    return Error(Code::NotFound, where_.name ? fmt::format("the layout has no image named '{}'", *where_.name)
                                             : "the layout has no image");
  }
  return document(*named.front(), limits_.manifest);
}

Result<Document> LayoutSource::document(const oci::Descriptor& descriptor, Bytes limit) {
  TRY(const FilePart file, files_->open(blobPath(descriptor.digest)));
  TRY(std::string bytes, file.read(limit).under(fmt::format("blob '{}'", descriptor.digest.text())));
  return Document{std::move(bytes), descriptor.mediaType};
}

Result<BlobStream> LayoutSource::layer(const oci::Descriptor& descriptor) {
  TRY(FilePart file, files_->open(blobPath(descriptor.digest)));
  if (file.size != descriptor.size) {
    return Error(Code::InvalidArgument,
                 fmt::format("has {} bytes, not the {} of its descriptor", file.size, descriptor.size));
  }
  return BlobStream{std::move(file.file), file.offset};
}

}  // namespace gantry::fetcher
