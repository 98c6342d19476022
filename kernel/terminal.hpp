// Pseudo-terminals by descriptor.
#pragma once

#include "base/result.hpp"
#include "kernel/fd.hpp"

namespace gantry::kernel {

struct WindowSize {
  unsigned short rows = 0;
  unsigned short columns = 0;
  bool operator==(const WindowSize&) const = default;
};

bool isTerminal(const Fd& fd);
Result<WindowSize> windowSize(const Fd& terminal);
Result<void> setWindowSize(const Fd& terminal, WindowSize size);

// The other end of the pseudo-terminal whose master this is, unlocked (TIOCSPTLCK, TIOCGPTPEER; Linux 4.13): without a
// path, so that nobody can put another device there.
Result<Fd> openPeer(const Fd& master);
// Makes it the controlling terminal of the calling session leader (TIOCSCTTY).
Result<void> makeControllingTerminal(const Fd& terminal);
// Turns off that output "\n" becomes "\r\n", which a proxied terminal would do twice.
Result<void> disableNewlineTranslation(const Fd& terminal);

// Raw mode (cfmakeraw) until destroyed, when the settings from before come back.
class RawMode {
 public:
  static Result<RawMode> enter(const Fd& terminal);
  RawMode(RawMode&& other) noexcept;
  RawMode& operator=(RawMode&& other) = delete;
  ~RawMode();

 private:
  RawMode(Fd terminal, void* before) : terminal_(std::move(terminal)), before_(before) {}

  Fd terminal_;
  void* before_;  // struct termios, which a header should not bring along
};

}  // namespace gantry::kernel
