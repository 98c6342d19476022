#include "cli/terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>

namespace gantry::cli {
namespace {

constexpr char kCtrlP = 0x10;
constexpr char kCtrlQ = 0x11;

}  // namespace

bool isStdinTerminal() {
  return ::isatty(STDIN_FILENO) == 1;
}

bool isStderrTerminal() {
  return ::isatty(STDERR_FILENO) == 1;
}

WindowSize windowSize() {
  winsize size{};
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO}) {
    if (::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_row > 0) return {size.ws_row, size.ws_col};
  }
  return {};
}

Result<RawTerminal> RawTerminal::enter() {
  termios saved{};
  if (::tcgetattr(STDIN_FILENO, &saved) != 0) return Error::fromErrno(errno, "read the terminal's settings");
  termios raw = saved;
  ::cfmakeraw(&raw);
  if (::tcsetattr(STDIN_FILENO, TCSANOW, &raw) != 0) return Error::fromErrno(errno, "change the terminal's settings");
  return RawTerminal(saved);
}

RawTerminal::~RawTerminal() {
  if (saved_) ::tcsetattr(STDIN_FILENO, TCSADRAIN, &*saved_);
}

std::string DetachKeys::filter(std::string_view typed) {
  std::string passed;
  for (const char key : typed) {
    if (typed_) break;
    if (held_ && key == kCtrlQ) {
      typed_ = true;
      held_ = false;
      break;
    }
    if (held_) passed += kCtrlP;
    held_ = key == kCtrlP;
    if (!held_) passed += key;
  }
  return passed;
}

}  // namespace gantry::cli
