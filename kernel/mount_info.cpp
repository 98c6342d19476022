#include "kernel/mount_info.hpp"

#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "kernel/file.hpp"

namespace gantry::kernel {
namespace {

// Cuts the text up to the next `separator` (or the end) off `rest`.
std::string_view cut(std::string_view& rest, char separator) {
  const std::size_t at = rest.find(separator);
  const std::string_view part = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view() : rest.substr(at + 1);
  return part;
}

int number(std::string_view text) {
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

bool isOctal(char c) {
  return c >= '0' && c <= '7';
}

// Blanks, tabs, line ends and backslashes are written as "\ooo".
std::string unescape(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && isOctal(text[i + 1]) && isOctal(text[i + 2]) &&
        isOctal(text[i + 3])) {
      plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

std::optional<MountEntry> parseLine(std::string_view line) {
  const std::size_t dash = line.find(" - ");
  if (dash == std::string_view::npos) return {};
  std::string_view before = line.substr(0, dash);
  std::string_view after = line.substr(dash + 3);
  MountEntry entry;
  entry.id = number(cut(before, ' '));
  entry.parent = number(cut(before, ' '));
  cut(before, ' ');  // major:minor
  entry.root = unescape(cut(before, ' '));
  entry.mountPoint = unescape(cut(before, ' '));
  entry.options = cut(before, ' ');
  entry.shared = before.find("shared:") != std::string_view::npos;
  entry.type = cut(after, ' ');
  entry.source = unescape(cut(after, ' '));
  entry.superOptions = cut(after, ' ');
  return entry;
}

}  // namespace

Result<std::vector<MountEntry>> parseMountInfo(std::string_view text) {
  std::vector<MountEntry> entries;
  while (!text.empty()) {
    const std::string_view line = cut(text, '\n');
    auto entry = parseLine(line);
    if (!entry) return Error(Code::Internal, fmt::format("mountinfo line '{}' has no ' - '", line));
    entries.push_back(std::move(*entry));
  }
  return entries;
}

Result<std::vector<MountEntry>> readMountInfo() {
  TRY(const std::string text, readFile("/proc/self/mountinfo"));
  return parseMountInfo(text);
}

bool isAtOrBelow(std::string_view path, std::string_view directory) {
  if (directory == "/") return true;
  return path == directory || (path.starts_with(directory) && path[directory.size()] == '/');
}

}  // namespace gantry::kernel
