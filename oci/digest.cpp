#include "oci/digest.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace gantry::oci {
namespace {

constexpr std::string_view kSha256 = "sha256";
constexpr std::string_view kSha512 = "sha512";

Error bad(std::string_view text, std::string_view reason) {
  return {Code::InvalidArgument, fmt::format("digest '{}': {}", text.substr(0, 160), reason)};
}

bool isLowerHex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

bool isAlgorithmCharacter(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '+' || c == '.' || c == '_' || c == '-';
}

}  // namespace

Result<Digest> Digest::parse(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return bad(text, "is not written as <algorithm>:<hex>");
  const auto algorithm = text.substr(0, colon);
  const auto digits = text.substr(colon + 1);
  if (algorithm != kSha256 && algorithm != kSha512) {
    if (algorithm.empty() || !std::ranges::all_of(algorithm, isAlgorithmCharacter)) {
      return bad(text, "the algorithm is not one");
    }
    return Error(Code::Unsupported,
                 fmt::format("digest '{}': the algorithm is neither sha256 nor sha512", text.substr(0, 160)));
  }
  const std::size_t length = algorithm == kSha256 ? 64 : 128;
  if (digits.size() != length)
    return bad(text, fmt::format("{} has {} digits, not {}", algorithm, length, digits.size()));
  if (!std::ranges::all_of(digits, isLowerHex))
    return bad(text, "has characters that are not lower-case hexadecimal digits");
  return Digest(std::string(text));
}

std::string_view Digest::hex() const {
  return std::string_view(text_).substr(text_.find(':') + 1);
}

Digest::Algorithm Digest::algorithm() const {
  return text_.starts_with(kSha256) ? Algorithm::Sha256 : Algorithm::Sha512;
}

std::string_view Digest::algorithmName() const {
  return algorithm() == Algorithm::Sha256 ? kSha256 : kSha512;
}

}  // namespace gantry::oci
