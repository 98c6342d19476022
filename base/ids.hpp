// Identifiers that cannot be mixed up with other strings.
#pragma once

#include <compare>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace gantry {

// The id of a container. A nested container's id is its parent's, a dot, and its own component, so that one text names
// it everywhere: in the API's log lines, on disk, as a cgroup's and as an OCI container's name.
//
// A component is 1 to 242 characters without '/', '.', white space or control characters: Mesos' rule for
// ContainerID.value (reference: agent HTTP API, LAUNCH_CONTAINER validation); bytes above 0x7e are refused too.
// At most 32 components (Mesos' limit on nesting).
class ContainerId {
 public:
  static constexpr std::size_t kMaxComponent = 242;
  static constexpr std::size_t kMaxDepth = 32;

  // One component without a parent. Fails with InvalidArgument, naming the rule that was broken.
  static Result<ContainerId> root(std::string_view component);
  // `component` below this container.
  Result<ContainerId> child(std::string_view component) const;
  // The dotted form, "web" or "web.check-1".
  static Result<ContainerId> parse(std::string_view text);

  const std::string& text() const { return text_; }
  // The last component.
  std::string_view leaf() const;
  // Nothing for a container without a parent.
  std::optional<ContainerId> parent() const;
  bool isNested() const { return text_.find('.') != std::string::npos; }

  auto operator<=>(const ContainerId&) const = default;

 private:
  explicit ContainerId(std::string text) : text_(std::move(text)) {}

  std::string text_;
};

}  // namespace gantry

template <>
struct std::hash<gantry::ContainerId> {
  std::size_t operator()(const gantry::ContainerId& id) const { return std::hash<std::string>()(id.text()); }
};
