#include "agent/wire/identifiers.hpp"

#include <algorithm>

namespace gantry::agent::wire {

Result<void> checkId(std::string_view id, std::string_view field) {
  if (id.empty()) return Error::invalid(field, "must not be empty");
  if (id.size() > 255) return Error::invalid(field, "is longer than 255 characters");
  if (id == "." || id == "..") return Error::invalid(field, "must not be '.' or '..'");
  const auto forbidden = [](char c) { return c == '/' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (std::ranges::any_of(id, forbidden)) return Error::invalid(field, "contains a '/' or a control character");
  return {};
}

}  // namespace gantry::agent::wire
