// What gantry-monitor and its clients say to each other over <directory>/monitor.sock, a SOCK_SEQPACKET socket.
//
//   agent                                  monitor
//     │ ── connect ──────────────────────────▶ │
//     │ ◀── C "<pid> <start time>" ─────────── │  the first process exists (at once, when it already does)
//     │ ◀── F "<wait status>" ──────────────── │  or: the runtime failed; its sentence is in runtime.log
//     │ ── A ────────────────────────────────▶ │  send me the output from here on
//     │ ◀── O / R <bytes> ──────────────────── │  standard output, standard error
//     │ ◀── G "<bytes>" ────────────────────── │  you were too slow: so many bytes are missing here
//     │ ── I <bytes>, Q ─────────────────────▶ │  standard input, and its end
//     │ ── W "<rows> <columns>" ─────────────▶ │  the terminal's window
//     │ ◀── E "<wait status> <unix ns>" ────── │  the first process ended; the same is in <directory>/exit
//     │ ◀── end of stream ──────────────────── │
//
// One message is one packet, and its first byte says what it is; numbers are decimal.
#pragma once

#include <cstddef>

namespace gantry::monitor_protocol {

enum Message : char {
  kCreated = 'C',
  kFailed = 'F',
  kEnded = 'E',
  kStdout = 'O',
  kStderr = 'R',
  kGap = 'G',
  kAttach = 'A',
  kStdin = 'I',
  kCloseStdin = 'Q',
  kWindow = 'W',
};

// Bytes after the first one, at most, in either direction.
inline constexpr std::size_t kMaxPayload = 32 * 1024;

// Names in the monitor's directory.
inline constexpr const char* kSocketName = "monitor.sock";
inline constexpr const char* kMonitorRecord = "monitor";  // "<pid> <start time>\n" of the monitor
inline constexpr const char* kInitRecord = "init";        // "<pid> <start time>\n" of the first process
inline constexpr const char* kExitRecord = "exit";        // "<wait status> <unix nanoseconds>\n"
inline constexpr const char* kRuntimeLog = "runtime.log";

}  // namespace gantry::monitor_protocol
