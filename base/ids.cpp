#include "base/ids.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace gantry {
namespace {

Result<void> checkComponent(std::string_view component) {
  if (component.empty()) return Error::invalid("container_id.value", "must not be empty");
  if (component.size() > ContainerId::kMaxComponent) {
    return Error::invalid("container_id.value", fmt::format("is {} characters long, at most {} are allowed",
                                                            component.size(), ContainerId::kMaxComponent));
  }
  const auto bad = std::find_if(component.begin(), component.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte <= ' ' || byte >= 0x7f || c == '/' || c == '.';
  });
  if (bad != component.end()) {
    return Error::invalid("container_id.value",
                          fmt::format("holds the byte 0x{:02x} at position {}; '/', '.', white space, control and "
                                      "non-ASCII characters are not allowed",
                                      static_cast<unsigned char>(*bad), bad - component.begin()));
  }
  return {};
}

}  // namespace

Result<ContainerId> ContainerId::root(std::string_view component) {
  TRY_VOID(checkComponent(component));
  return ContainerId(std::string(component));
}

Result<ContainerId> ContainerId::child(std::string_view component) const {
  TRY_VOID(checkComponent(component));
  const auto depth = static_cast<std::size_t>(std::count(text_.begin(), text_.end(), '.')) + 2;
  if (depth > kMaxDepth) {
    return Error::invalid("container_id.parent", fmt::format("nests deeper than {} containers", kMaxDepth));
  }
  return ContainerId(fmt::format("{}.{}", text_, component));
}

Result<ContainerId> ContainerId::parse(std::string_view text) {
  const auto dot = text.find('.');
  TRY(auto id, root(text.substr(0, dot)));
  while (text.find('.') != std::string_view::npos) {
    text.remove_prefix(text.find('.') + 1);
    TRY(auto next, id.child(text.substr(0, text.find('.'))));
    id = std::move(next);
  }
  return id;
}

std::string_view ContainerId::leaf() const {
  const auto dot = text_.rfind('.');
  return std::string_view(text_).substr(dot == std::string::npos ? 0 : dot + 1);
}

std::optional<ContainerId> ContainerId::parent() const {
  const auto dot = text_.rfind('.');
  if (dot == std::string::npos) return std::nullopt;
  return ContainerId(text_.substr(0, dot));
}

}  // namespace gantry
