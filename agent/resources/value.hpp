// The three kinds of amount that a resource of Mesos can have, and their arithmetic.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.hpp"

namespace gantry::agent::resources {

// A number with three decimal digits, as Mesos counts: what is added up and taken away again leaves nothing behind.
class Scalar {
 public:
  Scalar() = default;
  // Rounds to the nearest thousandth. InvalidArgument ("is …") for what is negative, not a number, or above 10^12.
  static Result<Scalar> from(double value);
  static constexpr Scalar thousandths(std::int64_t count) { return Scalar(count); }

  std::int64_t thousandths() const { return thousandths_; }
  double value() const { return static_cast<double>(thousandths_) / 1000; }

  bool isEmpty() const { return thousandths_ == 0; }
  bool contains(Scalar other) const { return other.thousandths_ <= thousandths_; }
  void add(Scalar other) { thousandths_ += other.thousandths_; }
  // To nothing, when there is less than `other`.
  void subtract(Scalar other) { thousandths_ -= contains(other) ? other.thousandths_ : thousandths_; }

  bool operator==(const Scalar&) const = default;

 private:
  constexpr explicit Scalar(std::int64_t count) : thousandths_(count) {}

  std::int64_t thousandths_ = 0;
};

// Both ends belong to it.
struct Range {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;

  bool operator==(const Range&) const = default;
};

// A set of whole numbers, such as ports: kept in order, with nothing overlapping or adjacent.
class Ranges {
 public:
  Ranges() = default;
  // In any order. A range that ends before it begins is empty.
  explicit Ranges(std::vector<Range> ranges);

  const std::vector<Range>& list() const { return list_; }

  bool isEmpty() const { return list_.empty(); }
  bool contains(const Ranges& other) const;
  void add(const Ranges& other);
  void subtract(const Ranges& other);

  bool operator==(const Ranges&) const = default;

 private:
  std::vector<Range> list_;
};

class Set {
 public:
  Set() = default;
  explicit Set(std::set<std::string> items) : items_(std::move(items)) {}

  const std::set<std::string>& items() const { return items_; }

  bool isEmpty() const { return items_.empty(); }
  bool contains(const Set& other) const;
  void add(const Set& other);
  void subtract(const Set& other);

  bool operator==(const Set&) const = default;

 private:
  std::set<std::string> items_;
};

using Value = std::variant<Scalar, Ranges, Set>;

bool isEmpty(const Value& value);
// Values of different kinds never contain each other; adding or subtracting one is a bug.
bool contains(const Value& value, const Value& other);
void add(Value& value, const Value& other);
void subtract(Value& value, const Value& other);

// "0.5", "[31000-32000, 33000-33010]", "{a, b}".
std::string toString(const Value& value);

// An attribute may also be any text.
using AttributeValue = std::variant<Scalar, Ranges, Set, std::string>;

// As --resources and --attributes spell a value: "4", "[1-2,5-6]", "{a,b}", or text without brackets. Spaces mean
// nothing, even within text (Mesos' rule). InvalidArgument, "is …", for anything else.
Result<AttributeValue> parseValue(std::string_view text);

}  // namespace gantry::agent::resources
