#include "oci/image.hpp"

#include <algorithm>
#include <array>
#include <memory>

#include <fmt/format.h>

#include "oci/json.hpp"

namespace gantry::oci {
namespace {

void readDigest(const JsonValue& json, std::string_view name, Digest& into) {
  std::string text;
  json.required(name, text);
  if (text.empty()) {
    json.failMember(name, "is empty");
    return;
  }
  auto digest = Digest::parse(text);
  if (digest) {
    into = *std::move(digest);
  } else {
    json.failMember(name, digest.error().message());
  }
}

// Members whose value is {} by convention: "ExposedPorts": {"80/tcp": {}}.
struct Nothing {
  bool operator==(const Nothing&) const = default;
};
void read(const JsonValue& /*json*/, Nothing& /*nothing*/) {}

std::vector<std::string> namesOf(const std::map<std::string, Nothing>& set) {
  std::vector<std::string> names;
  for (const auto& [name, nothing] : set) names.push_back(name);
  return names;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

void read(const JsonValue& json, Platform& platform) {
  json.member("os", platform.os);
  json.member("architecture", platform.architecture);
  json.member("variant", platform.variant);
  json.member("os.version", platform.osVersion);
}

void read(const JsonValue& json, Descriptor& descriptor) {
  json.member("mediaType", descriptor.mediaType);
  readDigest(json, "digest", descriptor.digest);
  json.required("size", descriptor.size);
  json.member("urls", descriptor.urls);
  json.member("platform", descriptor.platform);
  json.member("annotations", descriptor.annotations);
  json.member("artifactType", descriptor.artifactType);
}

void read(const JsonValue& json, Index& index) {
  json.required("manifests", index.manifests);
  json.member("annotations", index.annotations);
}

void read(const JsonValue& json, Manifest& manifest) {
  json.required("config", manifest.config);
  json.required("layers", manifest.layers);
  json.member("annotations", manifest.annotations);
}

void read(const JsonValue& json, ImageProcess& process) {
  std::map<std::string, Nothing> ports;
  std::map<std::string, Nothing> volumes;
  json.member("User", process.user);
  json.member("ExposedPorts", ports);
  json.member("Env", process.env);
  json.member("Entrypoint", process.entrypoint);
  json.member("Cmd", process.cmd);
  json.member("Volumes", volumes);
  json.member("WorkingDir", process.workingDir);
  json.member("Labels", process.labels);
  json.member("StopSignal", process.stopSignal);
  process.exposedPorts = namesOf(ports);
  process.volumes = namesOf(volumes);
}

void read(const JsonValue& json, HistoryEntry& entry) {
  json.member("created", entry.created);
  json.member("created_by", entry.createdBy);
  json.member("comment", entry.comment);
  json.member("empty_layer", entry.emptyLayer);
}

namespace {

struct RootFs {
  std::vector<Digest> diffIds;
};

void read(const JsonValue& json, RootFs& rootFs) {
  std::string type;
  std::vector<std::string> diffIds;
  json.required("type", type);
  if (type != "layers") json.failMember("type", fmt::format("is '{}', not 'layers'", type));
  json.required("diff_ids", diffIds);
  for (std::size_t i = 0; i < diffIds.size(); ++i) {
    auto digest = Digest::parse(diffIds[i]);
    if (!digest) {
      json.failMember(fmt::format("diff_ids[{}]", i), digest.error().message());
      return;
    }
    rootFs.diffIds.push_back(*std::move(digest));
  }
}

}  // namespace

void read(const JsonValue& json, ImageConfig& config) {
  RootFs rootFs;
  json.member("created", config.created);
  json.member("author", config.author);
  read(json, config.platform);
  json.member("config", config.config);
  json.required("rootfs", rootFs);
  json.member("history", config.history);
  config.diffIds = std::move(rootFs.diffIds);
}

namespace {

// What tells the kinds of documents apart, before any of them is read as one.
struct Outline {
  std::uint64_t schemaVersion = 0;
  std::string mediaType;
  std::string artifactType;
  bool hasManifests = false;
  bool hasLayers = false;
  bool hasFsLayers = false;
};

void read(const JsonValue& json, Outline& outline) {
  json.member("schemaVersion", outline.schemaVersion);
  json.member("mediaType", outline.mediaType);
  json.member("artifactType", outline.artifactType);
  outline.hasManifests = json.has("manifests");
  outline.hasLayers = json.has("layers") || json.has("config");
  outline.hasFsLayers = json.has("fsLayers");
}

bool isIndexType(std::string_view type) {
  return type == media::kOciIndex || type == media::kDockerList;
}
bool isManifestType(std::string_view type) {
  return type == media::kOciManifest || type == media::kDockerManifest;
}
bool isSchema1Type(std::string_view type) {
  return type == media::kDockerSchema1 || type == media::kDockerSchema1Signed;
}

Error unsupported(std::string message) {
  return {Code::Unsupported, std::move(message)};
}

Result<void> checkLayer(const Descriptor& layer, std::size_t number) {
  const auto member = fmt::format("layers[{}]", number);
  if (contains(layer.mediaType, "+encrypted")) {
    return unsupported(
        fmt::format("{}.mediaType: '{}' is encrypted; only plain layers can be unpacked", member, layer.mediaType));
  }
  if (!layer.urls.empty() || contains(layer.mediaType, ".foreign.")) {
    return unsupported(fmt::format("{}: is a foreign layer, whose content no registry serves", member));
  }
  static constexpr std::array<std::string_view, 9> kLayerTypes = {
      "application/vnd.oci.image.layer.v1.tar",
      "application/vnd.oci.image.layer.v1.tar+gzip",
      "application/vnd.oci.image.layer.v1.tar+zstd",
      "application/vnd.oci.image.layer.nondistributable.v1.tar",
      "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
      "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
      "application/vnd.docker.image.rootfs.diff.tar",
      "application/vnd.docker.image.rootfs.diff.tar.gzip",
      "application/vnd.docker.image.rootfs.diff.tar.zstd",
  };
  if (!std::ranges::count(kLayerTypes, layer.mediaType)) {
    return unsupported(fmt::format("{}.mediaType: '{}' is no image layer", member, layer.mediaType));
  }
  return {};
}

Result<Manifest> parseManifest(std::string_view json, const Outline& outline) {
  TRY(auto manifest, parseJson<Manifest>(json));
  if (manifest.config.mediaType != media::kOciConfig && manifest.config.mediaType != media::kDockerConfig) {
    return unsupported(fmt::format("config.mediaType: '{}' makes this an artifact{}, not a container image",
                                   manifest.config.mediaType,
                                   outline.artifactType.empty() ? "" : fmt::format(" ({})", outline.artifactType)));
  }
  for (std::size_t i = 0; i < manifest.layers.size(); ++i) TRY_VOID(checkLayer(manifest.layers[i], i));
  return manifest;
}

}  // namespace

Result<ManifestDocument> parseManifestDocument(std::string_view json, std::string_view mediaType) {
  TRY(const auto outline, parseJson<Outline>(json));
  const auto semicolon = mediaType.find(';');
  auto type = mediaType.substr(0, semicolon);
  if (outline.schemaVersion == 1 || outline.hasFsLayers || isSchema1Type(type)) {
    return unsupported("schemaVersion: 1 is Docker's old image manifest, which is not supported; push the image again");
  }
  if (outline.schemaVersion != 2) {
    return Error::invalid("schemaVersion", fmt::format("is {}, not 2", outline.schemaVersion));
  }
  const bool typeIsKnown = isIndexType(type) || isManifestType(type);
  if (!outline.mediaType.empty()) {
    if (typeIsKnown && outline.mediaType != type) {
      return Error::invalid("mediaType", fmt::format("is '{}', but it was served as '{}'", outline.mediaType, type));
    }
    type = outline.mediaType;
  }
  if (outline.hasManifests && outline.hasLayers) {
    return Error::invalid("manifests", "stands beside 'config' or 'layers'; a document is an index or a manifest");
  }
  if (isIndexType(type) || (outline.hasManifests && !isManifestType(type))) {
    if (outline.hasLayers) return Error::invalid("mediaType", "says index, but the document is a manifest");
    TRY(auto index, parseJson<Index>(json));
    return ManifestDocument(std::move(index));
  }
  if (outline.hasManifests) return Error::invalid("mediaType", "says manifest, but the document is an index");
  TRY(auto manifest, parseManifest(json, outline));
  return ManifestDocument(std::move(manifest));
}

Result<ImageConfig> parseImageConfig(std::string_view json) {
  return parseJson<ImageConfig>(json);
}

}  // namespace gantry::oci
