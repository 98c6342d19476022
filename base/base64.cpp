#include "base/base64.hpp"

#include <array>
#include <cstdint>

namespace gantry {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kNone = 0xff;

constexpr std::array<std::uint8_t, 256> valuesOfCharacters() {
  std::array<std::uint8_t, 256> values{};
  values.fill(kNone);
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}
constexpr auto kValues = valuesOfCharacters();

std::uint32_t byteAt(std::string_view text, std::size_t index) {
  return static_cast<unsigned char>(text[index]);
}

}  // namespace

std::string toBase64(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = bytes.size() - i;
    const std::uint32_t group =
        byteAt(bytes, i) << 16U | (left > 1 ? byteAt(bytes, i + 1) << 8U : 0) | (left > 2 ? byteAt(bytes, i + 2) : 0);
    text += kAlphabet[group >> 18U];
    text += kAlphabet[group >> 12U & 63U];
    text += left > 1 ? kAlphabet[group >> 6U & 63U] : '=';
    text += left > 2 ? kAlphabet[group & 63U] : '=';
  }
  return text;
}

Result<std::string> fromBase64(std::string_view text) {
  const Error malformed(Code::InvalidArgument, "is not base64");
  if (text.size() % 4 != 0) return malformed;
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;

  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const std::size_t padded = i + 4 == text.size() ? padding : 0;
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 4; ++j) {
      const std::uint32_t value = j < 4 - padded ? kValues[byteAt(text, i + j)] : 0U;
      if (value == kNone) return malformed;
      group = group << 6U | value;
    }
    // What the padding cut off must be zero, or two texts would mean the same bytes.
    if ((padded == 1 && (group & 0xffU) != 0) || (padded == 2 && (group & 0xffffU) != 0)) return malformed;
    bytes += static_cast<char>(group >> 16U & 0xffU);
    if (padded < 2) bytes += static_cast<char>(group >> 8U & 0xffU);
    if (padded < 1) bytes += static_cast<char>(group & 0xffU);
  }
  return bytes;
}

}  // namespace gantry
