// A content digest as image-spec, "Digests" spells it, strictly: "sha256:" and 64, or "sha512:" and 128 lower-case
// hexadecimal digits. Nothing else can be one, so that hex() is safe as a file name.
#pragma once

#include <compare>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace gantry::oci {

class Digest {
 public:
  enum class Algorithm { Sha256, Sha512 };

  // Names nothing; parse never returns it. For members that are filled in later.
  Digest() = default;

  // InvalidArgument quotes the text and names the rule that was broken; Unsupported for another algorithm that is
  // well formed.
  static Result<Digest> parse(std::string_view text);

  // "sha256:0123…".
  const std::string& text() const { return text_; }
  bool isEmpty() const { return text_.empty(); }
  // The digits after the colon.
  std::string_view hex() const;
  Algorithm algorithm() const;
  // "sha256" or "sha512".
  std::string_view algorithmName() const;

  auto operator<=>(const Digest&) const = default;

 private:
  explicit Digest(std::string text) : text_(std::move(text)) {}

  std::string text_;
};

}  // namespace gantry::oci

template <>
struct std::hash<gantry::oci::Digest> {
  std::size_t operator()(const gantry::oci::Digest& digest) const { return std::hash<std::string>()(digest.text()); }
};
