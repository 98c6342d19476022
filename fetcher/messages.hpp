// What gantry-fetcher is asked and what it answers, as values and as the JSON that goes over its standard streams: one
// request object on standard input; lines of {"progress"}, then one {"image"} or {"error"} on standard output.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "fetcher/reference.hpp"
#include "oci/digest.hpp"
#include "oci/image.hpp"

namespace gantry::fetcher {

struct Credentials {
  std::string username;
  std::string password;

  bool operator==(const Credentials&) const = default;
};

// Bounds against hostile images. What exceeds one fails with Exhausted, naming it.
struct Limits {
  // One manifest or index; distribution-spec asks registries to take 4 MiB.
  Bytes manifest = Bytes::mebi(4);
  // An image's configuration, which carries labels and history.
  Bytes config = Bytes::mebi(16);
  std::uint64_t layers = 512;
  // Of all layers of one image together, after decompression.
  Bytes unpacked = Bytes::gibi(100);
  std::uint64_t entries = 4'000'000;

  bool operator==(const Limits&) const = default;
};

struct PullRequest {
  // As Reference::parse reads it.
  std::string reference;
  // The image store's directory, absolute; made when missing.
  std::string store;
  oci::Platform platform = oci::hostPlatform();
  // "host:port" of registries that may be spoken to over plain http; loopback always may.
  std::vector<std::string> insecureHosts;
  std::optional<Credentials> credentials;
  std::string defaultRegistry = std::string(kDockerHub);
  // Trusted beside the system's certificates when set: an absolute path of PEM certificates.
  std::string caFile;
  Limits limits;

  bool operator==(const PullRequest&) const = default;
};

struct Layer {
  oci::Digest chainId;
  oci::Digest diffId;
  // Of the bytes that were transferred.
  oci::Digest digest;
  // Absolute; in overlayfs form, to be used as a lowerdir as it is.
  std::string directory;

  bool operator==(const Layer&) const = default;
};

// A pulled image, whole and verified.
struct Image {
  // Reference::canonical().
  std::string reference;
  // Of the manifest of this platform, also when the reference led to an index.
  oci::Digest manifestDigest;
  oci::Digest configDigest;
  // Of the compressed layers and the configuration together.
  Bytes size;
  // Bottom first; overlayfs wants its lowerdirs the other way round.
  std::vector<Layer> layers;
  // The configuration as the image has it; oci::parseImageConfig reads it.
  std::string configJson;

  bool operator==(const Image&) const = default;
};

struct Progress {
  enum class Step { Download, Unpack };

  // Of the layer.
  oci::Digest digest;
  Step step = Step::Download;
  Bytes done;
  // 0 when nobody knows: how large a layer unpacks is only known at its end.
  Bytes total;

  bool operator==(const Progress&) const = default;
};

// One line of the program's output.
using Answer = std::variant<Progress, Image, Error>;

std::string toJson(const PullRequest& request);
// InvalidArgument names the member, an unknown one too.
Result<PullRequest> parsePullRequest(std::string_view json);

// Without the line end.
std::string toJson(const Answer& answer);
Result<Answer> parseAnswer(std::string_view line);

// The image alone, as the agent keeps it.
std::string imageToJson(const Image& image);
Result<Image> parseImage(std::string_view json);

}  // namespace gantry::fetcher
