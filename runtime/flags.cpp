#include "runtime/flags.hpp"

#include <charconv>

#include <fmt/format.h>

namespace gantry::runtime {
namespace {

template <typename... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};

bool isNamed(const Flag& flag, std::string_view name) {
  for (std::string_view rest = flag.names; !rest.empty();) {
    const auto comma = rest.find(',');
    if (rest.substr(0, comma) == name) return true;
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
  }
  return false;
}

const Flag* find(std::initializer_list<Flag> flags, std::string_view name) {
  for (const Flag& flag : flags) {
    if (isNamed(flag, name)) return &flag;
  }
  return nullptr;
}

Result<void> assign(const Flag& flag, std::string_view name, const std::string& value) {
  return std::visit(Overloaded{
                        [&](bool* target) -> Result<void> {
                          *target = value == "true" || value == "1";
                          if (*target || value == "false" || value == "0") return {};
                          return Error(Code::InvalidArgument,
                                       fmt::format("--{}: '{}' is neither true nor false", name, value));
                        },
                        [&](unsigned* target) -> Result<void> {
                          const auto [end, code] = std::from_chars(value.data(), value.data() + value.size(), *target);
                          if (code == std::errc() && end == value.data() + value.size()) return {};
                          return Error(Code::InvalidArgument, fmt::format("--{}: '{}' is not a number", name, value));
                        },
                        [&](std::string* target) -> Result<void> {
                          *target = value;
                          return {};
                        },
                        [&](std::optional<std::string>* target) -> Result<void> {
                          *target = value;
                          return {};
                        },
                        [&](std::vector<std::string>* target) -> Result<void> {
                          target->push_back(value);
                          return {};
                        },
                    },
                    flag.target);
}

bool isFlag(const std::string& word) {
  return word.size() >= 2 && word[0] == '-';
}

struct Spelling {
  std::string_view name;
  std::optional<std::string> value;
};

Spelling spellingOf(std::string_view word) {
  word.remove_prefix(word[1] == '-' ? 2 : 1);
  const auto equals = word.find('=');
  if (equals == std::string_view::npos) return {word, std::nullopt};
  return {word.substr(0, equals), std::string(word.substr(equals + 1))};
}

// The flag in front of `next`, and the word at `next` when that is its value.
Result<void> takeFlag(const std::vector<std::string>& words, std::size_t& next, std::initializer_list<Flag> flags) {
  auto [name, value] = spellingOf(words[next - 1]);
  const Flag* const flag = find(flags, name);
  if (flag == nullptr) return Error(Code::InvalidArgument, fmt::format("unknown flag '{}'", words[next - 1]));
  if (!value && std::holds_alternative<bool*>(flag->target)) value = "true";
  if (!value) {
    if (next == words.size()) return Error(Code::InvalidArgument, fmt::format("--{} needs a value", name));
    value = words[next++];
  }
  return assign(*flag, name, *value);
}

}  // namespace

Result<void> parseFlags(std::vector<std::string>& words, std::initializer_list<Flag> flags) {
  std::size_t next = 0;
  while (next < words.size() && isFlag(words[next])) {
    if (words[next++] == "--") break;
    TRY_VOID(takeFlag(words, next, flags));
  }
  words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(next));
  return {};
}

Result<void> parseFlagsAnywhere(std::vector<std::string>& words, std::initializer_list<Flag> flags) {
  std::vector<std::string> arguments;
  std::size_t next = 0;
  while (next < words.size()) {
    const std::string& word = words[next++];
    if (word == "--") break;
    // A negative number, say, or a word that somebody else has to make sense of.
    const bool isArgument = !isFlag(word) || (!arguments.empty() && find(flags, spellingOf(word).name) == nullptr);
    if (isArgument) {
      arguments.push_back(word);
    } else {
      TRY_VOID(takeFlag(words, next, flags));
    }
  }
  arguments.insert(arguments.end(), words.begin() + static_cast<std::ptrdiff_t>(next), words.end());
  words = std::move(arguments);
  return {};
}

}  // namespace gantry::runtime
