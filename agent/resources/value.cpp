#include "agent/resources/value.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace gantry::agent::resources {
namespace {

constexpr double kLargest = 1e12;

Error bad(std::string reason) {
  return {Code::InvalidArgument, std::move(reason)};
}

// Sorts, and makes one of what overlaps or is adjacent.
std::vector<Range> normalized(std::vector<Range> ranges) {
  std::erase_if(ranges, [](const Range& range) { return range.end < range.begin; });
  std::ranges::sort(ranges, {}, &Range::begin);
  std::vector<Range> result;
  for (const Range& range : ranges) {
    // The subtraction cannot wrap: a later range begins no earlier.
    const bool touches = !result.empty() && (range.begin <= result.back().end || range.begin - result.back().end == 1);
    if (touches) {
      result.back().end = std::max(result.back().end, range.end);
    } else {
      result.push_back(range);
    }
  }
  return result;
}

Result<std::uint64_t> numberFrom(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    return bad(fmt::format("has '{}' where a whole number should be", text));
  }
  return number;
}

Result<Range> rangeFrom(std::string_view text) {
  const auto dash = text.find('-');
  if (dash == std::string_view::npos) return bad(fmt::format("has '{}' where a range like '1-9' should be", text));
  Range range;
  TRY(range.begin, numberFrom(text.substr(0, dash)));
  TRY(range.end, numberFrom(text.substr(dash + 1)));
  if (range.end < range.begin) return bad(fmt::format("has the range '{}', which ends before it begins", text));
  return range;
}

// What stands between the commas; nothing in an empty text.
std::vector<std::string_view> items(std::string_view text) {
  std::vector<std::string_view> result;
  while (!text.empty()) {
    const auto comma = text.find(',');
    result.push_back(text.substr(0, comma));
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  return result;
}

Result<AttributeValue> rangesFrom(std::string_view inside) {
  std::vector<Range> ranges;
  for (const std::string_view item : items(inside)) {
    TRY(const Range range, rangeFrom(item));
    ranges.push_back(range);
  }
  return AttributeValue(Ranges(std::move(ranges)));
}

Result<AttributeValue> setFrom(std::string_view inside) {
  std::set<std::string> names;
  for (const std::string_view item : items(inside)) {
    if (item.empty()) return bad("has an empty item");
    names.emplace(item);
  }
  return AttributeValue(Set(std::move(names)));
}

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

template <typename Kind>
const Kind& same(const Value& value) {
  const Kind* kind = std::get_if<Kind>(&value);
  ENSURE(kind != nullptr, "amounts of different kinds are added or subtracted");
  return *kind;
}

}  // namespace

Result<Scalar> Scalar::from(double value) {
  if (std::isnan(value)) return bad("is not a number");
  if (value < 0) return bad("is negative");
  if (value > kLargest) return bad("is too large");
  return Scalar(std::llround(value * 1000));
}

Ranges::Ranges(std::vector<Range> ranges) : list_(normalized(std::move(ranges))) {}

bool Ranges::contains(const Ranges& other) const {
  return std::ranges::all_of(other.list_, [this](const Range& wanted) {
    const auto after = std::ranges::upper_bound(list_, wanted.begin, {}, &Range::begin);
    return after != list_.begin() && std::prev(after)->end >= wanted.end;
  });
}

void Ranges::add(const Ranges& other) {
  list_.insert(list_.end(), other.list_.begin(), other.list_.end());
  list_ = normalized(std::move(list_));
}

void Ranges::subtract(const Ranges& other) {
  std::vector<Range> rest;
  auto cut = other.list_.begin();
  for (Range range : list_) {
    while (cut != other.list_.end() && cut->end < range.begin) ++cut;
    bool gone = false;
    for (auto next = cut; next != other.list_.end() && next->begin <= range.end; ++next) {
      if (next->begin > range.begin) rest.push_back({range.begin, next->begin - 1});
      gone = next->end >= range.end;
      if (gone) break;
      range.begin = next->end + 1;
    }
    if (!gone) rest.push_back(range);
  }
  list_ = std::move(rest);
}

bool Set::contains(const Set& other) const {
  return std::ranges::includes(items_, other.items_);
}

void Set::add(const Set& other) {
  items_.insert(other.items_.begin(), other.items_.end());
}

void Set::subtract(const Set& other) {
  for (const std::string& item : other.items_) items_.erase(item);
}

bool isEmpty(const Value& value) {
  return std::visit([](const auto& one) { return one.isEmpty(); }, value);
}

bool contains(const Value& value, const Value& other) {
  if (value.index() != other.index()) return false;
  return std::visit([&]<typename Kind>(const Kind& one) { return one.contains(same<Kind>(other)); }, value);
}

void add(Value& value, const Value& other) {
  std::visit([&]<typename Kind>(Kind& one) { one.add(same<Kind>(other)); }, value);
}

void subtract(Value& value, const Value& other) {
  std::visit([&]<typename Kind>(Kind& one) { one.subtract(same<Kind>(other)); }, value);
}

std::string toString(const Value& value) {
  const auto text = [](const Range& range) { return fmt::format("{}-{}", range.begin, range.end); };
  return std::visit(Overloaded{
                        [](const Scalar& scalar) { return fmt::format("{}", scalar.value()); },
                        [&text](const Ranges& ranges) {
                          std::vector<std::string> parts;
                          for (const Range& range : ranges.list()) parts.push_back(text(range));
                          return fmt::format("[{}]", fmt::join(parts, ", "));
                        },
                        [](const Set& set) { return fmt::format("{{{}}}", fmt::join(set.items(), ", ")); },
                    },
                    value);
}

Result<AttributeValue> parseValue(std::string_view spaced) {
  std::string text(spaced);
  std::erase_if(text, [](char c) { return c == ' ' || c == '\t' || c == '\n'; });
  if (text.empty()) return bad("is empty");
  const std::string_view whole = text;
  if (whole.front() == '[' && whole.back() == ']') return rangesFrom(whole.substr(1, whole.size() - 2));
  if (whole.front() == '{' && whole.back() == '}') return setFrom(whole.substr(1, whole.size() - 2));
  if (whole.find_first_of("[]{}()") != std::string_view::npos) return bad("has brackets that enclose nothing");
  double number = 0;
  const auto [end, error] = std::from_chars(whole.data(), whole.data() + whole.size(), number);
  if (error == std::errc() && end == whole.data() + whole.size()) {
    TRY(const Scalar scalar, Scalar::from(number));
    return AttributeValue(scalar);
  }
  return AttributeValue(std::move(text));
}

}  // namespace gantry::agent::resources
