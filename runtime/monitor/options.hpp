// The command line of gantry-monitor.
#pragma once

#include <cstdint>

namespace gantry::monitor {

// Pointers into argv.
struct Options {
  const char* directory = nullptr;
  const char* runtime = nullptr;
  const char* runtimeRoot = nullptr;
  const char* id = nullptr;
  // Exactly one of the two: what to create, or the process.json of what to exec.
  const char* bundle = nullptr;
  const char* process = nullptr;
  // Both, or else `session`. With a terminal all output goes to the first.
  const char* standardOutput = nullptr;
  const char* standardError = nullptr;
  std::uint64_t logSize = 0;  // bytes; 0: never rotated
  std::uint64_t logFiles = 1;
  bool session = false;
  bool terminal = false;
  bool openStdin = false;
};

// What --help prints.
extern const char* const kUsage;

// Null when `options` is filled; otherwise what is wrong, or kUsage when that was asked for.
const char* parseOptions(int argc, char** argv, Options& options);

}  // namespace gantry::monitor
