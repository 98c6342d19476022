// The OCI image specification (1.0 and 1.1) and Docker's image manifest version 2, schema 2, as values: the two say the
// same with other media types, and images in the wild mix them.
//
// Member names and meanings are those of image-spec (descriptor.md, manifest.md, image-index.md, config.md). An absent
// or null JSON member is an empty optional, vector or map here. Errors name the member by its path and the reason:
// "layers[2].digest: sha256 has 64 digits, not 3".
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "oci/digest.hpp"

namespace gantry::oci {

// Media types we read.
namespace media {
inline constexpr std::string_view kOciIndex = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view kOciManifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view kOciConfig = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view kDockerList = "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view kDockerManifest = "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view kDockerConfig = "application/vnd.docker.container.image.v1+json";
inline constexpr std::string_view kDockerSchema1 = "application/vnd.docker.distribution.manifest.v1+json";
inline constexpr std::string_view kDockerSchema1Signed = "application/vnd.docker.distribution.manifest.v1+prettyjws";
}  // namespace media

// Go's names: "linux", "amd64", "arm64", "arm" with variant "v7".
struct Platform {
  std::string os;
  std::string architecture;
  std::string variant;
  std::string osVersion;

  // "linux/arm/v7".
  std::string text() const;
  bool operator==(const Platform&) const = default;
};

struct Descriptor {
  std::string mediaType;
  Digest digest;
  std::uint64_t size = 0;
  std::vector<std::string> urls;
  std::optional<Platform> platform;
  std::map<std::string, std::string> annotations;
  std::string artifactType;

  bool operator==(const Descriptor&) const = default;
};

struct Index {
  std::vector<Descriptor> manifests;
  std::map<std::string, std::string> annotations;

  bool operator==(const Index&) const = default;
};

struct Manifest {
  Descriptor config;
  // Bottom first.
  std::vector<Descriptor> layers;
  std::map<std::string, std::string> annotations;

  bool operator==(const Manifest&) const = default;
};

// What to run in the image, and how: the "config" object of an image's configuration, with Docker's additions.
struct ImageProcess {
  std::string user;                       // "", "name", "uid", "name:group", "uid:gid"
  std::vector<std::string> exposedPorts;  // "80/tcp"
  std::vector<std::string> env;           // "NAME=value"
  std::vector<std::string> entrypoint;
  std::vector<std::string> cmd;
  std::vector<std::string> volumes;  // paths in the container, unchecked
  std::string workingDir;
  std::map<std::string, std::string> labels;
  std::string stopSignal;  // "SIGTERM", "9", "SIGRTMIN+3", unchecked

  bool operator==(const ImageProcess&) const = default;
};

struct HistoryEntry {
  std::string created;
  std::string createdBy;
  std::string comment;
  bool emptyLayer = false;

  bool operator==(const HistoryEntry&) const = default;
};

struct ImageConfig {
  std::string created;
  std::string author;
  Platform platform;
  ImageProcess config;
  // Of the uncompressed layers, bottom first.
  std::vector<Digest> diffIds;
  std::vector<HistoryEntry> history;

  bool operator==(const ImageConfig&) const = default;
};

// A manifest or an index, told apart by `mediaType` (what the registry or the descriptor said; may be empty) and by the
// document's own "mediaType". A document that claims to be one and has the members of the other is InvalidArgument, as
// is one with both (CVE-2021-41190).
//
// Unsupported, each with a sentence that says so: Docker's schema 1, artifacts (a config that is no image
// configuration), encrypted layers and foreign layers (those whose bytes are only found at other urls).
using ManifestDocument = std::variant<Manifest, Index>;
Result<ManifestDocument> parseManifestDocument(std::string_view json, std::string_view mediaType);

// An image's configuration. Requires rootfs.type "layers" and rootfs.diff_ids.
Result<ImageConfig> parseImageConfig(std::string_view json);

// A platform "os/architecture[/variant]" in its usual spelling: "linux/x86_64" is linux/amd64, arm64/v8 is arm64.
Result<Platform> parsePlatform(std::string_view text);
Platform normalized(Platform platform);
// The platform this program was built for.
Platform hostPlatform();

// The entry of `index` that runs best on `wanted`: the same os and architecture, and the same variant or the highest
// one below it (arm/v6 runs on arm/v7, amd64 on amd64/v2). Entries of other platforms, and attestations
// ("unknown/unknown"), never match. An entry without a platform matches only when it is the only image. NotFound lists
// what there is.
Result<Descriptor> selectPlatform(const Index& index, const Platform& wanted);

}  // namespace gantry::oci
