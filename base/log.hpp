// Log lines: one event each, a constant sentence and key=value fields, written to stderr in one write(2).
//
//   log::info("container started", {{"container", id.text()}, {"pid", pid}});
//   2026-01-02T03:04:05.678Z info container started container=web pid=4711
//
// Error: somebody should look. Warning: we went on, and the line says how. Info: a phase changed. Debug: the rest.
// Values with spaces, quotes or control characters are quoted and escaped. Callable from any thread.
#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "base/error.hpp"

namespace gantry::log {

enum class Level { Debug, Info, Warning, Error };

struct Field {
  std::string_view key;
  std::string value;

  Field(std::string_view name, std::string_view text) : key(name), value(text) {}
  Field(std::string_view name, const char* text) : key(name), value(text) {}
  Field(std::string_view name, const std::string& text) : key(name), value(text) {}
  Field(std::string_view name, const gantry::Error& error) : key(name), value(error.message()) {}
  template <typename Number>
    requires std::integral<Number> || std::floating_point<Number>
  Field(std::string_view name, Number number) : key(name), value(fmt::format("{}", number)) {}
};

// Lines below this level are dropped; Info until somebody says otherwise.
void setLevel(Level level);
Level level();

void write(Level level, std::string_view sentence, std::initializer_list<Field> fields);
// One line as write() prints it, without the time and the line end.
std::string format(Level level, std::string_view sentence, std::initializer_list<Field> fields);

inline void debug(std::string_view sentence, std::initializer_list<Field> fields = {}) {
  if (level() <= Level::Debug) write(Level::Debug, sentence, fields);
}
inline void info(std::string_view sentence, std::initializer_list<Field> fields = {}) {
  write(Level::Info, sentence, fields);
}
inline void warning(std::string_view sentence, std::initializer_list<Field> fields = {}) {
  write(Level::Warning, sentence, fields);
}
inline void error(std::string_view sentence, std::initializer_list<Field> fields = {}) {
  write(Level::Error, sentence, fields);
}

}  // namespace gantry::log
