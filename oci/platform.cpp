#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "oci/image.hpp"

namespace gantry::oci {
namespace {

// Higher runs lower: 7 for "v7". 0 for what is no such number.
int variantLevel(std::string_view variant) {
  int level = 0;
  if (variant.size() < 2 || variant.front() != 'v') return 0;
  const auto* end = variant.data() + variant.size();
  const auto [stop, problem] = std::from_chars(variant.data() + 1, end, level);
  return problem == std::errc() && stop == end ? level : 0;
}

// How well an image for `offered` runs on `wanted`; negative when it does not. Both normalized.
int fitness(const Platform& offered, const Platform& wanted) {
  if (offered.os != wanted.os || offered.architecture != wanted.architecture) return -1;
  if (offered.variant == wanted.variant) return 1000;
  // No variant means the oldest that there is: what amd64 without one is to amd64/v2.
  if (offered.variant.empty()) return 0;
  const int have = variantLevel(offered.variant);
  const int limit = variantLevel(wanted.variant);
  // arm64/v8 is spelled without a variant, so an arm64 without one is level 8.
  const int effectiveLimit = limit == 0 && wanted.architecture == "arm64" ? 8 : limit;
  if (have == 0 || have > effectiveLimit) return -1;
  return have;
}

}  // namespace

std::string Platform::text() const {
  std::string text = fmt::format("{}/{}", os, architecture);
  if (!variant.empty()) text += "/" + variant;
  return text;
}

Platform normalized(Platform platform) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kArchitectures = {{
      {"x86_64", "amd64"},
      {"x86-64", "amd64"},
      {"aarch64", "arm64"},
      {"armhf", "arm"},
      {"armel", "arm"},
      {"i386", "386"},
      {"i686", "386"},
      {"powerpc64le", "ppc64le"},
  }};
  if (platform.os == "macos") platform.os = "darwin";
  if (platform.architecture == "armhf" && platform.variant.empty()) platform.variant = "v7";
  if (platform.architecture == "armel" && platform.variant.empty()) platform.variant = "v6";
  for (const auto& [other, usual] : kArchitectures) {
    if (platform.architecture == other) platform.architecture = usual;
  }
  if (!platform.variant.empty() && platform.variant.front() >= '0' && platform.variant.front() <= '9') {
    platform.variant.insert(0, "v");
  }
  if (platform.architecture == "arm64" && platform.variant == "v8") platform.variant.clear();
  if (platform.architecture == "amd64" && platform.variant == "v1") platform.variant.clear();
  if (platform.architecture == "arm" && platform.variant.empty()) platform.variant = "v7";
  return platform;
}

Result<Platform> parsePlatform(std::string_view text) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == '/') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  if (parts.size() < 2 || parts.size() > 3 || std::ranges::any_of(parts, &std::string::empty)) {
    return Error::invalid("platform", fmt::format("'{}' is not written as os/architecture[/variant]", text));
  }
  Platform platform;
  platform.os = parts[0];
  platform.architecture = parts[1];
  if (parts.size() == 3) platform.variant = parts[2];
  return normalized(std::move(platform));
}

Platform hostPlatform() {
  Platform platform;
  platform.os = "linux";
#if defined(__x86_64__)
  platform.architecture = "amd64";
#elif defined(__aarch64__)
  platform.architecture = "arm64";
#elif defined(__arm__)
  platform.architecture = "arm";
  platform.variant = "v7";
#elif defined(__riscv) && __riscv_xlen == 64
  platform.architecture = "riscv64";
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
  platform.architecture = "ppc64le";
#elif defined(__s390x__)
  platform.architecture = "s390x";
#else
#error "say what Go calls this architecture"
#endif
  return platform;
}

Result<Descriptor> selectPlatform(const Index& index, const Platform& wanted) {
  const Platform target = normalized(wanted);
  const Descriptor* best = nullptr;
  int bestFitness = -1;
  std::vector<std::string> offers;
  for (const Descriptor& entry : index.manifests) {
    if (!entry.platform || entry.platform->os.empty()) continue;
    if (entry.platform->os == "unknown") continue;
    offers.push_back(entry.platform->text());
    const int fits = fitness(normalized(*entry.platform), target);
    if (fits > bestFitness) {
      best = &entry;
      bestFitness = fits;
    }
  }
  if (best == nullptr && index.manifests.size() == 1 && offers.empty() && !index.manifests.front().platform) {
    best = &index.manifests.front();
  }
  if (best == nullptr) {
    return Error(Code::NotFound,
                 fmt::format("no image for platform {}; there is {}", target.text(),
                             offers.empty() ? "none for any" : fmt::format("{}", fmt::join(offers, ", "))));
  }
  return *best;
}

}  // namespace gantry::oci
