// gantry-runtime: an OCI runtime with runc's command line.
#include <fcntl.h>
#include <unistd.h>
#include <cstdio>
#include <ctime>

#include <array>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "base/log.hpp"
#include "kernel/credentials.hpp"
#include "kernel/file.hpp"
#include "oci/json.hpp"
#include "oci/state.hpp"
#include "runtime/commands.hpp"
#include "runtime/flags.hpp"
#include "runtime/self_protection.hpp"
#include "runtime/stdio.hpp"

namespace gantry::runtime {
namespace {

struct CommandEntry {
  std::string_view name;
  Result<int> (*run)(const Globals&, Words);
  // Its children enter containers: the program must not be reachable for writing through them.
  bool entersContainers;
  // The exit status when it fails.
  int failure;
  std::string_view help;
};

constexpr std::array<CommandEntry, 14> kCommands{{
    {"create", create, true, 1, "make a container, ready to be started"},
    {"start", start, false, 1, "run the program of a created container"},
    {"run", run, true, 1, "create and start a container, and wait for its end"},
    {"exec", exec, true, 255, "run another program in a container"},
    {"kill", kill, false, 1, "send a signal to a container's first process"},
    {"delete", remove, false, 1, "remove a container that has stopped"},
    {"state", state, false, 1, "print the state of a container"},
    {"list", list, false, 1, "list the containers"},
    {"ps", ps, false, 1, "list the processes of a container"},
    {"pause", pause, false, 1, "stop all processes of a container"},
    {"resume", resume, false, 1, "let the processes of a paused container go on"},
    {"update", update, false, 1, "change the resource limits of a container"},
    {"features", features, false, 1, "print what this runtime can do"},
    {"spec", spec, false, 1, "write an example config.json"},
}};

constexpr std::string_view kUsage =
    "usage: gantry-runtime [global flags] COMMAND [flags] [arguments]\n\n"
    "global flags:\n"
    "  --root DIRECTORY         state of the containers (/run/gantry/runtime)\n"
    "  --log FILE               errors and warnings also go there\n"
    "  --log-format text|json   their form there (text)\n"
    "  --debug                  more of them\n"
    "  --systemd-cgroup         not supported\n"
    "  --rootless true|false|auto\n"
    "  --version, --help\n\ncommands:\n";

std::string usage() {
  std::string text(kUsage);
  for (const CommandEntry& command : kCommands) text += fmt::format("  {:<10} {}\n", command.name, command.help);
  return text;
}

std::string version() {
  return fmt::format("gantry-runtime version {}\nspec: {}\n", GANTRY_VERSION, oci::kOciVersion);
}

std::string timestamp() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  char text[32];
  const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return std::string(text, length);
}

// What runc writes to its log, since containerd and Docker take their error texts from there.
void logFailure(const Globals& globals, const std::string& sentence) {
  if (globals.log.empty()) return;
  const auto file = kernel::open(globals.log, O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (!file) return;
  std::string line;
  if (globals.logFormat == "json") {
    oci::JsonWriter json;
    json.open('{').member("level", "error").member("msg", sentence).member("time", timestamp()).close();
    line = json.text() + "\n";
  } else {
    line = fmt::format("time=\"{}\" level=error msg=\"{}\"\n", timestamp(), sentence);
  }
  ignore(kernel::writeAll(*file, line), "standard error has it too");
}

int fail(const Globals& globals, const Error& error, int status) {
  logFailure(globals, error.message());
  fmt::print(stderr, "gantry-runtime: {}\n", error.message());
  return status;
}

struct Invocation {
  Globals globals;
  bool version = false;
  bool help = false;
  Words words;
};

Result<void> parseGlobals(Invocation& invocation) {
  Globals& globals = invocation.globals;
  TRY_VOID(parseFlags(invocation.words, {{"root", &globals.root},
                                         {"log", &globals.log},
                                         {"log-format", &globals.logFormat},
                                         {"debug", &globals.debug},
                                         {"systemd-cgroup", &globals.systemdCgroup},
                                         {"rootless", &globals.rootless},
                                         {"criu", &globals.criu},
                                         {"version,v", &invocation.version},
                                         {"help,h", &invocation.help}}));
  if (globals.logFormat != "text" && globals.logFormat != "json") {
    return Error(Code::InvalidArgument, fmt::format("--log-format: '{}' is neither text nor json", globals.logFormat));
  }
  return {};
}

int runCommand(const CommandEntry& command, Invocation& invocation, char** arguments) {
  if (command.entersContainers) {
    const auto isProtected = runFromProtectedCopy(arguments);
    if (!isProtected) return fail(invocation.globals, isProtected.error(), command.failure);
  }
  Words words(invocation.words.begin() + 1, invocation.words.end());
  const auto status = command.run(invocation.globals, std::move(words));
  return status ? *status : fail(invocation.globals, status.error(), command.failure);
}

int main(int count, char** arguments) {
  Invocation invocation;
  invocation.words.assign(arguments + 1, arguments + count);
  const auto completed = completeStdio();
  if (!completed) return fail(invocation.globals, completed.error(), 1);
  const auto parsed = parseGlobals(invocation);
  if (!parsed) return fail(invocation.globals, parsed.error(), 1);
  log::setLevel(invocation.globals.debug ? log::Level::Debug : log::Level::Info);
  if (invocation.version) return print(version()) ? 0 : 1;
  if (invocation.help || invocation.words.empty()) return print(usage()) ? 0 : 1;
  for (const CommandEntry& command : kCommands) {
    if (command.name == invocation.words[0]) return runCommand(command, invocation, arguments);
  }
  return fail(invocation.globals,
              Error(Code::InvalidArgument, fmt::format("unknown command '{}'", invocation.words[0])), 1);
}

}  // namespace

}  // namespace gantry::runtime

int main(int count, char** arguments) {
  return gantry::runtime::main(count, arguments);
}
