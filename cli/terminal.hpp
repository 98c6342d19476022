// The user's terminal.
#pragma once

#include <termios.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "cli/launch_request.hpp"

namespace gantry::cli {

bool isStdinTerminal();
bool isStderrTerminal();
// Of standard input or output, whichever is a terminal; all zero when neither is.
WindowSize windowSize();

// Keys go to the container as they are: no echo, no lines, no signals. Undone by the destructor. A value with one
// owner.
class RawTerminal {
 public:
  static Result<RawTerminal> enter();
  RawTerminal(RawTerminal&& other) noexcept : saved_(std::exchange(other.saved_, std::nullopt)) {}
  RawTerminal& operator=(RawTerminal&&) = delete;
  ~RawTerminal();

 private:
  explicit RawTerminal(const termios& saved) : saved_(saved) {}

  std::optional<termios> saved_;
};

// Finds ctrl-p ctrl-q, the keys that leave a container alone, in what is typed.
class DetachKeys {
 public:
  // What of `typed` goes to the container; a ctrl-p at its end is held back until the next key is known.
  std::string filter(std::string_view typed);
  // Both were typed, one after the other; what came behind them was dropped.
  bool areTyped() const { return typed_; }

 private:
  bool held_ = false;
  bool typed_ = false;
};

}  // namespace gantry::cli
