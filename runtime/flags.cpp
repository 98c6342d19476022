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

}  // namespace

Result<void> parseFlags(std::vector<std::string>& words, std::initializer_list<Flag> flags) {
  std::size_t next = 0;
  while (next < words.size()) {
    const std::string& word = words[next];
    if (word.size() < 2 || word[0] != '-') break;
    ++next;
    if (word == "--") break;
    std::string_view name(word);
    name.remove_prefix(word[1] == '-' ? 2 : 1);
    const auto equals = name.find('=');
    std::optional<std::string> value;
    if (equals != std::string_view::npos) value = std::string(name.substr(equals + 1));
    name = name.substr(0, equals);

    const Flag* const flag = find(flags, name);
    if (flag == nullptr) return Error(Code::InvalidArgument, fmt::format("unknown flag '{}'", word));
    if (!value && std::holds_alternative<bool*>(flag->target)) value = "true";
    if (!value) {
      if (next == words.size()) return Error(Code::InvalidArgument, fmt::format("--{} needs a value", name));
      value = words[next++];
    }
    TRY_VOID(assign(*flag, name, *value));
  }
  words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(next));
  return {};
}

}  // namespace gantry::runtime
