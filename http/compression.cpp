#include "http/compression.hpp"

// Input of zlib is const then.
#define ZLIB_CONST
#include <zlib.h>

#include <algorithm>

#include "base/error.hpp"
#include "http/message.hpp"

namespace gantry::http {
namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

// "0", "0.0", "0.000".
bool isZero(std::string_view quality) {
  return quality.starts_with('0') && quality.find_first_not_of("0.") == std::string_view::npos;
}

// Of one entry, "gzip;q=0.5": whether its parameters refuse the coding.
bool isRefused(std::string_view parameters) {
  while (!parameters.empty()) {
    const std::string_view whole = parameters.substr(0, parameters.find(';'));
    parameters.remove_prefix(std::min(parameters.size(), whole.size() + 1));
    const std::string_view parameter = trimmed(whole);
    const std::size_t equals = parameter.find('=');
    if (equals == std::string_view::npos || !sameWord(trimmed(parameter.substr(0, equals)), "q")) continue;
    return isZero(trimmed(parameter.substr(equals + 1)));
  }
  return false;
}

}  // namespace

bool acceptsGzip(std::optional<std::string_view> value) {
  bool any = false;
  std::string_view rest = value.value_or("");
  while (!rest.empty()) {
    const std::string_view entry = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), entry.size() + 1));
    const std::size_t semicolon = entry.find(';');
    const std::string_view coding = trimmed(entry.substr(0, semicolon));
    const bool refused = semicolon != std::string_view::npos && isRefused(entry.substr(semicolon + 1));
    // What is said by name counts, wherever "*" stands.
    if (sameWord(coding, "gzip") || sameWord(coding, "x-gzip")) return !refused;
    if (coding == "*") any = !refused;
  }
  return any;
}

std::string gzip(std::string_view text) {
  constexpr int kGzipWindow = 15 + 16;
  constexpr int kDefaultMemory = 8;
  z_stream stream{};
  int status = ::deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzipWindow, kDefaultMemory, Z_DEFAULT_STRATEGY);
  ENSURE(status == Z_OK, "zlib takes these settings");
  std::string packed(::deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<const Bytef*>(text.data());
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  status = ::deflate(&stream, Z_FINISH);
  ENSURE(status == Z_STREAM_END, "deflateBound() said that it fits");
  packed.resize(packed.size() - stream.avail_out);
  ::deflateEnd(&stream);
  return packed;
}

}  // namespace gantry::http
