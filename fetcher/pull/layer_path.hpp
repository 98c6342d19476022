// Names inside a layer: taken apart and checked before any of them is used.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace gantry::fetcher {

// A path below a layer's root. No part is empty, "." or "..".
struct LayerPath {
  std::vector<std::string> parts;

  bool isRoot() const { return parts.empty(); }
  const std::string& leaf() const { return parts.back(); }
  // "a/b" of "a/b/c"; empty for what stands in the root.
  std::string parent() const;
  // "a/b/c".
  std::string text() const;

  bool operator==(const LayerPath&) const = default;
};

// Bounds that keep every later walk shallow.
inline constexpr std::size_t kMaxPath = 4095;
inline constexpr std::size_t kMaxPathParts = 256;

// "./" in front, doubled and trailing slashes are dropped. InvalidArgument for an absolute name, for ".." in it, and
// for names beyond the bounds above: an image that has them wants out, or was not made by an image builder. "/" alone
// is the root itself: umoci writes it so.
Result<LayerPath> parseLayerPath(std::string_view name);

// For messages: in single quotes, shortened, with control characters and what is no UTF-8 escaped.
std::string quoted(std::string_view name);

}  // namespace gantry::fetcher
