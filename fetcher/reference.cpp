#include "fetcher/reference.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace gantry::fetcher {
namespace {

constexpr std::size_t kMaxTag = 128;
// distribution-spec leaves the length of names open; registries take 255 characters with the host.
constexpr std::size_t kMaxRepository = 255;

Error bad(std::string_view text, std::string_view reason) {
  return {Code::InvalidArgument, fmt::format("image reference '{}': {}", text.substr(0, 300), reason)};
}

bool isDigit(char c) {
  return c >= '0' && c <= '9';
}
bool isLowerAlphanumeric(char c) {
  return isDigit(c) || (c >= 'a' && c <= 'z');
}
bool isAlphanumeric(char c) {
  return isLowerAlphanumeric(c) || (c >= 'A' && c <= 'Z');
}

// tag: [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}
bool isTag(std::string_view tag) {
  return !tag.empty() && tag.size() <= kMaxTag && (isAlphanumeric(tag.front()) || tag.front() == '_') &&
         std::ranges::all_of(tag, [](char c) { return isAlphanumeric(c) || c == '_' || c == '.' || c == '-'; });
}

// One component of a repository: [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*
bool isRepositoryComponent(std::string_view component) {
  if (component.empty() || !isLowerAlphanumeric(component.front()) || !isLowerAlphanumeric(component.back())) {
    return false;
  }
  std::string_view rest = component;
  while (!rest.empty()) {
    while (!rest.empty() && isLowerAlphanumeric(rest.front())) rest.remove_prefix(1);
    const auto separator =
        rest.substr(0, std::min(rest.size(), rest.find_first_of("abcdefghijklmnopqrstuvwxyz0123456789")));
    if (separator.empty() || separator == "." || separator == "_" || separator == "__" ||
        std::ranges::all_of(separator, [](char c) { return c == '-'; })) {
      rest.remove_prefix(separator.size());
      continue;
    }
    return false;
  }
  return true;
}

bool isRepository(std::string_view repository) {
  if (repository.size() > kMaxRepository) return false;
  while (true) {
    const auto slash = repository.find('/');
    if (!isRepositoryComponent(repository.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    repository.remove_prefix(slash + 1);
  }
}

struct HostPort {
  std::string_view host;  // without the brackets of IPv6
  std::optional<std::string_view> port;
};

HostPort splitHost(std::string_view text) {
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return {text, {}};
    const auto rest = text.substr(end + 1);
    HostPort split{text.substr(1, end - 1), {}};
    if (rest.starts_with(':')) split.port = rest.substr(1);
    return split;
  }
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return {text, {}};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

bool isHost(std::string_view text) {
  const auto [host, port] = splitHost(text);
  if (port) {
    unsigned number = 0;
    const auto [stop, problem] = std::from_chars(port->data(), port->data() + port->size(), number);
    if (problem != std::errc() || stop != port->data() + port->size() || number == 0 || number > 65535) return false;
  }
  if (text.starts_with('[')) {
    return !host.empty() && std::ranges::all_of(host, [](char c) {
      return isDigit(c) || c == ':' || c == '.' || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    });
  }
  return !host.empty() && isAlphanumeric(host.front()) && isAlphanumeric(host.back()) &&
         std::ranges::all_of(host, [](char c) { return isAlphanumeric(c) || c == '.' || c == '-'; });
}

// The first component of "host/name" is a host when it cannot be part of a name (Docker's rule).
bool looksLikeHost(std::string_view component) {
  return component.find_first_of(".:[") != std::string_view::npos || component == "localhost";
}

std::string_view connectableHost(std::string_view host) {
  return host == "docker.io" || host == "index.docker.io" ? kDockerHub : host;
}

Result<RegistryReference> parseRegistry(std::string_view whole, std::string_view text,
                                        std::string_view defaultRegistry) {
  RegistryReference reference;
  if (const auto at = text.find('@'); at != std::string_view::npos) {
    auto digest = oci::Digest::parse(text.substr(at + 1));
    if (!digest) return std::move(digest).error().under(fmt::format("image reference '{}'", whole.substr(0, 300)));
    reference.digest = *std::move(digest);
    text = text.substr(0, at);
  }
  const auto slash = text.find('/');
  std::string_view host = defaultRegistry;
  if (slash != std::string_view::npos && looksLikeHost(text.substr(0, slash))) {
    host = text.substr(0, slash);
    text = text.substr(slash + 1);
  }
  if (!isHost(host)) return bad(whole, fmt::format("'{}' is no host or host:port", host));
  reference.host = connectableHost(host);
  if (const auto colon = text.find(':'); colon != std::string_view::npos) {
    const auto tag = text.substr(colon + 1);
    if (tag.size() > kMaxTag)
      return bad(whole, fmt::format("the tag has {} characters, {} are allowed", tag.size(), kMaxTag));
    if (!isTag(tag)) return bad(whole, fmt::format("'{}' is no tag", tag));
    reference.tag = tag;
    text = text.substr(0, colon);
  }
  if (reference.tag.empty() && !reference.digest) reference.tag = "latest";
  reference.repository = text;
  if (reference.host == kDockerHub && text.find('/') == std::string_view::npos) {
    reference.repository.insert(0, "library/");
  }
  if (text.empty()) return bad(whole, "the name is missing");
  if (!isRepository(reference.repository)) {
    return bad(whole,
               fmt::format("'{}' is no repository name (lower-case letters, digits and single separators)", text));
  }
  return reference;
}

Result<LocalReference> parseLocal(std::string_view whole, LocalReference::Kind kind, std::string_view text) {
  LocalReference reference;
  reference.kind = kind;
  // A path may not hold a colon here; what follows the first one is the name of the image.
  if (const auto colon = text.find(':'); colon != std::string_view::npos) {
    const auto name = text.substr(colon + 1);
    if (name.empty()) return bad(whole, "the name after the path is empty");
    reference.name = name;
    text = text.substr(0, colon);
  }
  if (!text.starts_with('/')) return bad(whole, fmt::format("the path '{}' is not absolute", text));
  if (text.find('\0') != std::string_view::npos) return bad(whole, "the path has a zero byte");
  reference.path = text;
  return reference;
}

std::string_view schemeOf(LocalReference::Kind kind) {
  switch (kind) {
    case LocalReference::Kind::OciLayout:
      return "oci";
    case LocalReference::Kind::OciArchive:
      return "oci-archive";
    case LocalReference::Kind::DockerArchive:
      return "docker-archive";
  }
  return "oci";
}

}  // namespace

Reference::Reference(RegistryReference where) : where_(std::move(where)) {
  const auto& registry = std::get<RegistryReference>(where_);
  canonical_ = fmt::format("docker://{}/{}", registry.host, registry.repository);
  if (!registry.tag.empty()) canonical_ += ":" + registry.tag;
  if (registry.digest) canonical_ += "@" + registry.digest->text();
}

Reference::Reference(LocalReference where) : where_(std::move(where)) {
  const auto& local = std::get<LocalReference>(where_);
  canonical_ = fmt::format("{}:{}", schemeOf(local.kind), local.path);
  if (local.name) canonical_ += ":" + *local.name;
}

Result<Reference> Reference::parse(std::string_view text, std::string_view defaultRegistry) {
  if (text.empty()) return bad(text, "is empty");
  for (const auto kind :
       {LocalReference::Kind::OciLayout, LocalReference::Kind::OciArchive, LocalReference::Kind::DockerArchive}) {
    // "oci:1" could be a tag of the image "oci"; only a path makes it a layout.
    const auto prefix = fmt::format("{}:/", schemeOf(kind));
    if (!text.starts_with(prefix)) continue;
    TRY(auto local, parseLocal(text, kind, text.substr(prefix.size() - 1)));
    return Reference(std::move(local));
  }
  constexpr std::string_view kScheme = "docker://";
  const auto name = text.starts_with(kScheme) ? text.substr(kScheme.size()) : text;
  if (name.find("://") != std::string_view::npos) {
    return bad(text, "the scheme is none of docker, oci, oci-archive and docker-archive");
  }
  TRY(auto registry, parseRegistry(text, name, defaultRegistry));
  return Reference(std::move(registry));
}

bool isLoopback(std::string_view host) {
  const auto name = splitHost(host).host;
  if (name == "localhost" || name == "::1") return true;
  if (!name.starts_with("127.")) return false;
  return std::ranges::all_of(name, [](char c) { return isDigit(c) || c == '.'; }) && std::ranges::count(name, '.') == 3;
}

}  // namespace gantry::fetcher
