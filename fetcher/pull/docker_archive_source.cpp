#include "fetcher/pull/docker_archive_source.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "fetcher/pull/hash.hpp"
#include "fetcher/pull/layer_path.hpp"
#include "oci/json.hpp"

namespace gantry::fetcher {
namespace {

struct SavedImage {
  std::string config;
  std::vector<std::string> repoTags;
  std::vector<std::string> layers;
};

void read(const oci::JsonValue& json, SavedImage& image) {
  json.required("Config", image.config);
  json.member("RepoTags", image.repoTags);
  json.required("Layers", image.layers);
}

// Docker writes "busybox:latest" for what others write as "docker.io/library/busybox:latest", and users as "busybox".
std::string shortName(std::string name) {
  for (const std::string_view prefix : {"docker.io/", "library/"}) {
    if (name.starts_with(prefix)) name.erase(0, prefix.size());
  }
  const auto slash = name.rfind('/');
  const bool hasTag = name.find(':', slash == std::string::npos ? 0 : slash) != std::string::npos;
  return hasTag ? name : name + ":latest";
}

bool isNamed(const SavedImage& image, const std::string& name) {
  return std::ranges::any_of(image.repoTags, [&](const std::string& tag) { return shortName(tag) == shortName(name); });
}

Result<SavedImage> choose(std::vector<SavedImage> images, const std::optional<std::string>& name) {
  if (!name) {
    if (images.size() == 1) return std::move(images.front());
    return Error(Code::InvalidArgument,
                 fmt::format("the archive has {} images; say which one (docker-archive:<file>:<name>)", images.size()));
  }
  for (SavedImage& image : images) {
    if (isNamed(image, *name)) return std::move(image);
  }
  return Error(Code::NotFound, fmt::format("the archive has no image named '{}'", *name));
}

Result<FilePart> openMember(const FileTree& files, const std::string& name) {
  TRY(const LayerPath path, parseLayerPath(name));
  return files.open(path.text());
}

}  // namespace

Result<std::unique_ptr<ImageSource>> DockerArchiveSource::open(const LocalReference& where, const std::string& scratch,
                                                               Limits limits) {
  TRY(auto files, openArchiveTree(where.path, scratch, limits.unpacked));
  return std::unique_ptr<ImageSource>(new DockerArchiveSource(where, limits, std::move(files)));
}

Result<Document> DockerArchiveSource::root() {
  TRY(const FilePart list, files_->open("manifest.json").under("not an archive of docker save"));
  TRY(const std::string json, list.read(limits_.manifest).under("manifest.json"));
  TRY(auto images, oci::parseJson<std::vector<SavedImage>>(json).under("manifest.json"));
  TRY(const SavedImage image, choose(std::move(images), where_.name));
  TRY(const FilePart configFile, openMember(*files_, image.config));
  TRY(config_, configFile.read(limits_.config).under(quoted(image.config)));
  TRY(const auto config, oci::parseImageConfig(config_).under(quoted(image.config)));
  if (config.diffIds.size() != image.layers.size()) {
    return Error(Code::InvalidArgument, fmt::format("manifest.json: Layers: has {} entries, but the configuration {}",
                                                    image.layers.size(), config.diffIds.size()));
  }

  oci::JsonWriter manifest;
  manifest.open('{').member("schemaVersion", 2).member("mediaType", oci::media::kOciManifest);
  manifest.open('{', "config")
      .member("mediaType", oci::media::kOciConfig)
      .member("digest", digestOf(config_).text())
      .member("size", config_.size())
      .close();
  manifest.open('[', "layers");
  for (std::size_t i = 0; i < image.layers.size(); ++i) {
    TRY(const FilePart layer, openMember(*files_, image.layers[i]));
    layers_[config.diffIds[i].text()] = image.layers[i];
    manifest.open('{')
        .member("mediaType", "application/vnd.oci.image.layer.v1.tar")
        .member("digest", config.diffIds[i].text())
        .member("size", layer.size)
        .close();
  }
  manifest.close().close();
  return Document{manifest.text(), std::string(oci::media::kOciManifest)};
}

Result<Document> DockerArchiveSource::document(const oci::Descriptor& /*descriptor*/, Bytes /*limit*/) {
  // The manifest that root() makes names nothing else.
  return Document{config_, std::string(oci::media::kOciConfig)};
}

Result<BlobStream> DockerArchiveSource::layer(const oci::Descriptor& descriptor) {
  const auto path = layers_.find(descriptor.digest.text());
  ENSURE(path != layers_.end(), "a layer that root() did not name");
  TRY(FilePart file, openMember(*files_, path->second));
  return BlobStream{std::move(file.file), file.offset};
}

}  // namespace gantry::fetcher
