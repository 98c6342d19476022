#include "fetcher/pull/challenge.hpp"

#include <algorithm>

#include "oci/json.hpp"

namespace gantry::fetcher {
namespace {

bool isTokenCharacter(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  void skip(std::string_view characters) {
    const auto next = rest_.find_first_not_of(characters);
    rest_.remove_prefix(next == std::string_view::npos ? rest_.size() : next);
  }
  std::string token() {
    const auto end = std::ranges::find_if_not(rest_, isTokenCharacter) - rest_.begin();
    std::string text(rest_.substr(0, static_cast<std::size_t>(end)));
    rest_.remove_prefix(text.size());
    return text;
  }
  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::string value() {
    if (!take('"')) return token();
    std::string text;
    while (!rest_.empty() && !take('"')) {
      if (rest_.front() == '\\' && rest_.size() > 1) rest_.remove_prefix(1);
      text += rest_.front();
      rest_.remove_prefix(1);
    }
    return text;
  }
  bool atEnd() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

struct TokenAnswer {
  std::string token;
  std::string accessToken;
};

void read(const oci::JsonValue& json, TokenAnswer& answer) {
  json.member("token", answer.token);
  json.member("access_token", answer.accessToken);
}

struct RegistryError {
  std::string message;
};
struct RegistryErrors {
  std::vector<RegistryError> errors;
};

void read(const oci::JsonValue& json, RegistryError& error) {
  json.member("message", error.message);
}
void read(const oci::JsonValue& json, RegistryErrors& errors) {
  json.member("errors", errors.errors);
}

}  // namespace

std::vector<Challenge> parseChallenges(std::string_view header) {
  std::vector<Challenge> challenges;
  Scanner scanner(header);
  while (true) {
    scanner.skip(" \t,");
    if (scanner.atEnd()) return challenges;
    const std::string word = scanner.token();
    if (word.empty()) return challenges;
    scanner.skip(" \t");
    if (scanner.take('=')) {
      if (challenges.empty()) return challenges;
      scanner.skip(" \t");
      challenges.back().parameters[lower(word)] = scanner.value();
    } else {
      challenges.push_back({lower(word), {}});
    }
  }
}

Result<std::string> parseToken(std::string_view json) {
  TRY(const auto answer, oci::parseJson<TokenAnswer>(json).under("the token server's answer"));
  const std::string& token = answer.token.empty() ? answer.accessToken : answer.token;
  if (token.empty()) return Error(Code::InvalidArgument, "the token server's answer: token: is missing");
  if (std::ranges::any_of(token, [](char c) { return c <= 0x20 || c >= 0x7f; })) {
    return Error(Code::InvalidArgument, "the token server's answer: token: has characters that no header may have");
  }
  return token;
}

std::string parseRegistryErrors(std::string_view json) {
  const auto errors = oci::parseJson<RegistryErrors>(json);
  std::string text;
  if (!errors) return text;
  for (const RegistryError& error : errors->errors) {
    if (error.message.empty()) continue;
    if (!text.empty()) text += "; ";
    text += error.message;
  }
  return text;
}

}  // namespace gantry::fetcher
