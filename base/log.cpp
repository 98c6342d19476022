#include "base/log.hpp"

#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

namespace gantry::log {
namespace {

std::atomic<Level> threshold{Level::Info};

std::string_view name(Level level) {
  switch (level) {
    case Level::Debug:
      return "debug";
    case Level::Info:
      return "info";
    case Level::Warning:
      return "warning";
    case Level::Error:
      return "error";
  }
  return "error";
}

bool isPlain(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte > ' ' && byte != 0x7f && c != '"' && c != '\\';
}

void appendValue(std::string& line, std::string_view value) {
  if (!value.empty() && std::all_of(value.begin(), value.end(), isPlain)) {
    line += value;
    return;
  }
  line += '"';
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (c == '\n') {
      line += "\\n";
    } else if (byte < ' ' || byte == 0x7f) {
      line += fmt::format("\\x{:02x}", byte);
    } else {
      line += c;
    }
  }
  line += '"';
}

}  // namespace

void setLevel(Level level) {
  threshold = level;
}
Level level() {
  return threshold;
}

std::string format(Level level, std::string_view sentence, std::initializer_list<Field> fields) {
  std::string line(name(level));
  line += ' ';
  line += sentence;
  for (const Field& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    appendValue(line, field.value);
  }
  return line;
}

void write(Level level, std::string_view sentence, std::initializer_list<Field> fields) {
  if (level < threshold) return;
  timeval now{};
  gettimeofday(&now, nullptr);
  tm parts{};
  gmtime_r(&now.tv_sec, &parts);
  const std::string line = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z {}\n", parts.tm_year + 1900,
                                       parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                                       now.tv_usec / 1000, format(level, sentence, fields));
  // A log line that cannot be written has nowhere else to go.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace gantry::log
