// Where an image is to be had: an image reference as users write it, taken apart.
//
//   docker://quay.io/a/b:tag   quay.io/a/b@sha256:…   a/b:tag   alpine      a registry (distribution-spec)
//   oci:/directory[:tag]                                                    an OCI image layout
//   docker-archive:/file.tar[:name:tag]                                     what `docker save` writes
//   oci-archive:/file.tar[:tag]                                             a tar of an OCI image layout
//
// Names without a registry host are the default registry's; on Docker Hub a name of one part gets "library/" in front.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.hpp"
#include "oci/digest.hpp"

namespace gantry::fetcher {

inline constexpr std::string_view kDockerHub = "registry-1.docker.io";

struct RegistryReference {
  // "host" or "host:port" to connect to; "docker.io" and "index.docker.io" have become kDockerHub.
  std::string host;
  // "library/alpine".
  std::string repository;
  // "latest" when the text names neither a tag nor a digest. With both, the digest decides and the tag is only kept.
  std::string tag;
  std::optional<oci::Digest> digest;

  // What stands after /manifests/ in the registry's API: the digest, else the tag.
  const std::string& target() const { return digest ? digest->text() : tag; }
  bool operator==(const RegistryReference&) const = default;
};

struct LocalReference {
  enum class Kind { OciLayout, OciArchive, DockerArchive };

  Kind kind = Kind::OciLayout;
  std::string path;  // absolute
  // The tag (OCI) or "name:tag" (docker-archive) to take; unset: the only image there is.
  std::optional<std::string> name;

  bool operator==(const LocalReference&) const = default;
};

class Reference {
 public:
  // `defaultRegistry` is "host" or "host:port". InvalidArgument names the part that breaks a rule of
  // distribution-spec, "Pull" (repository: lower case, tag: at most 128 characters of [A-Za-z0-9_.-]).
  static Result<Reference> parse(std::string_view text, std::string_view defaultRegistry = kDockerHub);

  // The one spelling of all texts that mean this: "docker://registry-1.docker.io/library/alpine:latest".
  const std::string& canonical() const { return canonical_; }
  // Exactly one of the two is not null.
  const RegistryReference* registry() const { return std::get_if<RegistryReference>(&where_); }
  const LocalReference* local() const { return std::get_if<LocalReference>(&where_); }

  bool operator==(const Reference&) const = default;

 private:
  explicit Reference(RegistryReference where);
  explicit Reference(LocalReference where);

  std::variant<RegistryReference, LocalReference> where_;
  std::string canonical_;
};

// True for hosts ("host", "host:port", "[::1]:port") that name this machine: 127.0.0.0/8, ::1 and localhost.
bool isLoopback(std::string_view host);

}  // namespace gantry::fetcher
