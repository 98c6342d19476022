// Short texts in a fixed buffer. The monitor uses no heap and no formatting library: there is one monitor for each
// container, and the memory it touches is the price of density.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace gantry::monitor {

// What does not fit is cut off.
template <std::size_t kCapacity>
class Text {
 public:
  Text& operator<<(std::string_view more) {
    const std::size_t count = more.size() < kCapacity - size_ ? more.size() : kCapacity - size_;
    std::memcpy(data_ + size_, more.data(), count);
    size_ += count;
    data_[size_] = '\0';
    return *this;
  }
  Text& operator<<(const char* more) { return *this << std::string_view(more); }
  Text& operator<<(std::uint64_t number) {
    char digits[20];
    std::size_t first = sizeof digits;
    do {
      digits[--first] = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number != 0);
    return *this << std::string_view(digits + first, sizeof digits - first);
  }

  std::string_view view() const { return {data_, size_}; }
  const char* c_str() const { return data_; }

 private:
  char data_[kCapacity + 1] = {};
  std::size_t size_ = 0;
};

// Reads the decimal number at the start of `text` and cuts it off, with one blank or line end after it. False when
// there is none, or it does not fit.
inline bool takeNumber(std::string_view& text, std::uint64_t& number) {
  std::size_t digits = 0;
  std::uint64_t value = 0;
  for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; ++digits) {
    const auto digit = static_cast<std::uint64_t>(text[digits] - '0');
    if (value > (UINT64_MAX - digit) / 10) return false;
    value = value * 10 + digit;
  }
  if (digits == 0) return false;
  number = value;
  if (digits < text.size() && (text[digits] == ' ' || text[digits] == '\n')) ++digits;
  text.remove_prefix(digits);
  return true;
}

}  // namespace gantry::monitor
