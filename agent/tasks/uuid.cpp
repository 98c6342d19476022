#include "agent/tasks/uuid.hpp"

#include <sys/random.h>

#include <fmt/format.h>

#include "base/result.hpp"

namespace gantry::agent::tasks {

std::string newUuid() {
  std::string bytes(16, '\0');
  // Up to 256 bytes never come short, and nothing interrupts them (getrandom(2)).
  const ssize_t read = ::getrandom(bytes.data(), bytes.size(), 0);
  ENSURE(read == static_cast<ssize_t>(bytes.size()), "getrandom gave less than was asked for");
  bytes[6] = static_cast<char>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<char>((bytes[8] & 0x3f) | static_cast<char>(0x80));
  return bytes;
}

std::string uuidText(std::string_view bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", static_cast<unsigned char>(bytes[i]));
  }
  return text;
}

}  // namespace gantry::agent::tasks
