#include "fetcher/pull/layer_path.hpp"

#include <fmt/format.h>

namespace gantry::fetcher {
namespace {

constexpr std::size_t kMaxShown = 200;

std::string join(const std::vector<std::string>& parts, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) text += '/';
    text += parts[i];
  }
  return text;
}

}  // namespace

std::string LayerPath::parent() const {
  return parts.empty() ? std::string() : join(parts, parts.size() - 1);
}

std::string LayerPath::text() const {
  return join(parts, parts.size());
}

Result<LayerPath> parseLayerPath(std::string_view name) {
  const auto bad = [&](std::string_view reason) {
    return Error(Code::InvalidArgument, fmt::format("{}: {}", quoted(name), reason));
  };
  if (name.empty()) return bad("the name is empty");
  if (name == "/") return LayerPath();
  if (name.front() == '/') return bad("the name is absolute");
  if (name.size() > kMaxPath) return bad(fmt::format("the name is longer than {} bytes", kMaxPath));
  LayerPath path;
  std::string_view rest = name;
  while (!rest.empty()) {
    const auto slash = rest.find('/');
    const auto part = rest.substr(0, slash);
    rest.remove_prefix(slash == std::string_view::npos ? rest.size() : slash + 1);
    if (part.empty() || part == ".") continue;
    if (part == "..") return bad("the name leads out through '..'");
    path.parts.emplace_back(part);
  }
  if (path.parts.size() > kMaxPathParts) return bad(fmt::format("the name has more than {} parts", kMaxPathParts));
  return path;
}

std::string quoted(std::string_view name) {
  std::string text = "'";
  for (const char c : name.substr(0, kMaxShown)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f || c == '\'' || c == '\\') {
      text += fmt::format("\\x{:02x}", byte);
    } else {
      text += c;
    }
  }
  if (name.size() > kMaxShown) text += "...";
  return text + "'";
}

}  // namespace gantry::fetcher
