#include "kernel/terminal.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <cerrno>

namespace gantry::kernel {

bool isTerminal(const Fd& fd) {
  return ::isatty(fd.raw()) == 1;
}

Result<WindowSize> windowSize(const Fd& terminal) {
  winsize size{};
  if (::ioctl(terminal.raw(), TIOCGWINSZ, &size) != 0) return Error::fromErrno(errno, "read the window size");
  return WindowSize{size.ws_row, size.ws_col};
}

Result<void> setWindowSize(const Fd& terminal, WindowSize size) {
  winsize native{};
  native.ws_row = size.rows;
  native.ws_col = size.columns;
  if (::ioctl(terminal.raw(), TIOCSWINSZ, &native) != 0) return Error::fromErrno(errno, "set the window size");
  return {};
}

Result<Fd> openPeer(const Fd& master) {
  int unlock = 0;
  if (::ioctl(master.raw(), TIOCSPTLCK, &unlock) != 0) return Error::fromErrno(errno, "unlock the pseudo-terminal");
  const int raw = ::ioctl(master.raw(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (raw < 0) return Error::fromErrno(errno, "open the pseudo-terminal's other end");
  return Fd(raw);
}

Result<void> makeControllingTerminal(const Fd& terminal) {
  if (::ioctl(terminal.raw(), TIOCSCTTY, 0) != 0) return Error::fromErrno(errno, "make the controlling terminal");
  return {};
}

Result<void> disableNewlineTranslation(const Fd& terminal) {
  termios settings{};
  if (::tcgetattr(terminal.raw(), &settings) != 0) return Error::fromErrno(errno, "read terminal settings");
  settings.c_oflag &= ~static_cast<tcflag_t>(ONLCR);
  if (::tcsetattr(terminal.raw(), TCSANOW, &settings) != 0) return Error::fromErrno(errno, "change terminal settings");
  return {};
}

Result<RawMode> RawMode::enter(const Fd& terminal) {
  termios before{};
  if (::tcgetattr(terminal.raw(), &before) != 0) return Error::fromErrno(errno, "read terminal settings");
  TRY(Fd own, duplicate(terminal));
  termios raw = before;
  ::cfmakeraw(&raw);
  if (::tcsetattr(terminal.raw(), TCSANOW, &raw) != 0) return Error::fromErrno(errno, "change terminal settings");
  return RawMode(std::move(own), new termios(before));
}

RawMode::RawMode(RawMode&& other) noexcept
    : terminal_(std::move(other.terminal_)), before_(std::exchange(other.before_, nullptr)) {}

RawMode::~RawMode() {
  auto* const before = static_cast<termios*>(before_);
  if (before == nullptr) return;
  ::tcsetattr(terminal_.raw(), TCSANOW, before);
  delete before;
}

}  // namespace gantry::kernel
