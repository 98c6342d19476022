#include "runtime/monitor/options.hpp"

#include <string_view>

#include "runtime/monitor/text.hpp"

namespace gantry::monitor {
namespace {

bool parseWhole(std::string_view text, std::uint64_t& number) {
  return takeNumber(text, number) && text.empty();
}

}  // namespace

const char* const kUsage =
    "usage: gantry-monitor --directory D --runtime PATH --runtime-root R --id ID (--bundle B | --exec PROCESS.json)\n"
    "         (--stdout F --stderr F [--log-size BYTES] [--log-files N] | --session) [--terminal] [--stdin]\n"
    "Creates a container (or a process in one) and stays its parent: keeps its output in files, passes its streams\n"
    "to clients of D/monitor.sock, and records how it ended in D/exit. Prints 'ready' once the socket listens.\n";

const char* parseOptions(int argc, char** argv, Options& options) {
  struct {
    std::string_view name;
    const char** value;
  } const texts[] = {
      {"--directory", &options.directory},
      {"--runtime", &options.runtime},
      {"--runtime-root", &options.runtimeRoot},
      {"--id", &options.id},
      {"--bundle", &options.bundle},
      {"--exec", &options.process},
      {"--stdout", &options.standardOutput},
      {"--stderr", &options.standardError},
  };
  struct {
    std::string_view name;
    std::uint64_t* value;
    const char* complaint;
  } const numbers[] = {
      {"--log-size", &options.logSize, "--log-size: not a number of bytes"},
      {"--log-files", &options.logFiles, "--log-files: not a number of files"},
  };
  struct {
    std::string_view name;
    bool* value;
  } const switches[] = {
      {"--session", &options.session}, {"--terminal", &options.terminal}, {"--stdin", &options.openStdin}};

  for (int index = 1; index < argc; ++index) {
    const std::string_view word = argv[index];
    if (word == "--help") return kUsage;
    bool known = false;
    for (const auto& entry : switches) {
      if (word == entry.name) known = *entry.value = true;
    }
    if (known) continue;
    const char* const value = index + 1 < argc ? argv[index + 1] : nullptr;
    for (const auto& entry : texts) {
      if (word != entry.name) continue;
      if (value == nullptr || *value == '\0') return "an option has no value";
      *entry.value = value;
      known = true;
    }
    for (const auto& entry : numbers) {
      if (word != entry.name) continue;
      if (value == nullptr || !parseWhole(value, *entry.value)) return entry.complaint;
      known = true;
    }
    if (!known) return "an option is unknown; see --help";
    ++index;
  }
  if (options.directory == nullptr) return "--directory: is missing";
  if (options.runtime == nullptr) return "--runtime: is missing";
  if (options.runtimeRoot == nullptr) return "--runtime-root: is missing";
  if (options.id == nullptr) return "--id: is missing";
  if ((options.bundle == nullptr) == (options.process == nullptr)) return "give one of --bundle and --exec";
  const bool files = options.standardOutput != nullptr && options.standardError != nullptr;
  if (files == options.session) return "give either --stdout and --stderr, or --session";
  if (options.logFiles < 1 || options.logFiles > 1000) return "--log-files: must be 1 to 1000";
  return nullptr;
}

}  // namespace gantry::monitor
