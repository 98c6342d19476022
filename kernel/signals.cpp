#include "kernel/signals.hpp"

#include <sys/signalfd.h>
#include <unistd.h>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <charconv>
#include <string>

namespace gantry::kernel {
namespace {

std::optional<int> parseNumber(std::string_view text) {
  int number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<int> inRange(int number) {
  return number > 0 && number < NSIG ? std::optional(number) : std::nullopt;
}

}  // namespace

Result<Fd> blockSignals() {
  sigset_t set;
  sigfillset(&set);
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS}) sigdelset(&set, number);
  if (::sigprocmask(SIG_SETMASK, &set, nullptr) != 0) return Error::fromErrno(errno, "block signals");
  const int raw = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (raw < 0) return Error::fromErrno(errno, "make a signal descriptor");
  return Fd(raw);
}

Result<std::optional<int>> nextSignal(const Fd& signals) {
  signalfd_siginfo info{};
  ssize_t count = 0;
  do {
    count = ::read(signals.raw(), &info, sizeof info);
  } while (count < 0 && errno == EINTR);
  if (count < 0 && errno == EAGAIN) return std::optional<int>();
  if (count < 0) return Error::fromErrno(errno, "read a signal");
  return std::optional<int>(static_cast<int>(info.ssi_signo));
}

std::optional<int> parseSignal(std::string_view text) {
  if (const auto number = parseNumber(text)) return inRange(*number);
  std::string name;
  for (const char c : text) name += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  if (name.starts_with("SIG")) name.erase(0, 3);
  const auto relative = [&](std::string_view base, int from, char sign) -> std::optional<int> {
    if (name == base) return from;
    if (!name.starts_with(base) || name.size() <= base.size() + 1 || name[base.size()] != sign) return std::nullopt;
    const auto offset = parseNumber(std::string_view(name).substr(base.size() + 1));
    if (!offset || *offset < 0 || *offset > SIGRTMAX - SIGRTMIN) return std::nullopt;
    return sign == '+' ? from + *offset : from - *offset;
  };
  if (const auto realTime = relative("RTMIN", SIGRTMIN, '+')) return realTime;
  if (const auto realTime = relative("RTMAX", SIGRTMAX, '-')) return realTime;
  for (int number = 1; number < SIGRTMIN; ++number) {
    const char* const known = ::sigabbrev_np(number);
    if (known != nullptr && name == known) return number;
  }
  if (name == "IOT") return SIGABRT;
  if (name == "CLD") return SIGCHLD;
  return std::nullopt;
}

}  // namespace gantry::kernel
