#include "http/message.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace gantry::http {
namespace {

char lower(char letter) {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

int hexDigit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  const char small = lower(digit);
  return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

bool isUnreserved(char letter) {
  const char small = lower(letter);
  return (small >= 'a' && small <= 'z') || (letter >= '0' && letter <= '9') || letter == '-' || letter == '.' ||
         letter == '_' || letter == '~';
}

int statusOf(Code code) {
  switch (code) {
    case Code::NotFound:
      return 404;
    case Code::AlreadyExists:
    case Code::Busy:
      return 409;
    case Code::InvalidArgument:
    case Code::Unsupported:
      return 400;
    case Code::PermissionDenied:
      return 403;
    case Code::Exhausted:
      return 507;
    case Code::Timeout:
      return 504;
    case Code::Unavailable:
    case Code::Cancelled:
      return 503;
    case Code::Internal:
      break;
  }
  return 500;
}

}  // namespace

bool sameWord(std::string_view left, std::string_view right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](char a, char b) { return lower(a) == lower(b); });
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
  for (const auto& [key, value] : fields_) {
    if (sameWord(key, name)) return value;
  }
  return std::nullopt;
}

void Headers::set(std::string_view name, std::string value) {
  std::erase_if(fields_, [name](const auto& field) { return sameWord(field.first, name); });
  fields_.emplace_back(std::string(name), std::move(value));
}

async::Task<Result<std::string>> readAll(BodyReaderPtr body, std::size_t limit) {
  std::string all;
  while (true) {
    CO_TRY(const std::string piece, co_await body->read());
    if (piece.empty()) co_return all;
    if (piece.size() > limit - all.size()) {
      co_return Error(Code::Exhausted, fmt::format("the body is larger than {}", toString(Bytes{limit})));
    }
    all += piece;
  }
}

Response textResponse(int status, std::string sentence) {
  return Response(status, "text/plain; charset=utf-8", std::move(sentence));
}

Response errorResponse(const Error& error) {
  return textResponse(statusOf(error.code()), error.message());
}

Response bodyErrorResponse(const Error& error) {
  const int status = error.code() == Code::Exhausted ? 413 : error.code() == Code::Timeout ? 408 : 400;
  return textResponse(status, error.message());
}

std::string_view reasonPhrase(int status) {
  struct Phrase {
    int status;
    std::string_view text;
  };
  static constexpr std::array kPhrases = std::to_array<Phrase>({
      {100, "Continue"},
      {101, "Switching Protocols"},
      {200, "OK"},
      {201, "Created"},
      {202, "Accepted"},
      {204, "No Content"},
      {301, "Moved Permanently"},
      {302, "Found"},
      {304, "Not Modified"},
      {307, "Temporary Redirect"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {406, "Not Acceptable"},
      {408, "Request Timeout"},
      {409, "Conflict"},
      {411, "Length Required"},
      {413, "Content Too Large"},
      {415, "Unsupported Media Type"},
      {417, "Expectation Failed"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {503, "Service Unavailable"},
      {504, "Gateway Timeout"},
      {505, "HTTP Version Not Supported"},
      {507, "Insufficient Storage"},
  });
  const auto* const found = std::ranges::find(kPhrases, status, &Phrase::status);
  return found == kPhrases.end() ? "Unknown" : found->text;
}

Result<std::string> percentDecode(std::string_view text, bool plusIsSpace) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plusIsSpace) {
      decoded.push_back(' ');
    } else if (text[i] != '%') {
      decoded.push_back(text[i]);
    } else {
      const int high = i + 2 < text.size() ? hexDigit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hexDigit(text[i + 2]) : -1;
      if (high < 0 || low < 0 || (high == 0 && low == 0)) {
        return Error(Code::InvalidArgument, fmt::format("'{}' is not a percent escape", text.substr(i, 3)));
      }
      decoded.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    }
  }
  return decoded;
}

std::string percentEncode(std::string_view text) {
  std::string encoded;
  encoded.reserve(text.size());
  for (const char letter : text) {
    if (isUnreserved(letter)) {
      encoded.push_back(letter);
    } else {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(letter));
    }
  }
  return encoded;
}

Result<std::map<std::string, std::string>> parseQuery(std::string_view text) {
  std::map<std::string, std::string> query;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    TRY(std::string name, percentDecode(pair.substr(0, equals), true));
    std::string value;
    if (equals != std::string_view::npos) {
      TRY(value, percentDecode(pair.substr(equals + 1), true));
    }
    query[std::move(name)] = std::move(value);
  }
  return query;
}

}  // namespace gantry::http
