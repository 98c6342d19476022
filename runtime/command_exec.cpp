// exec: a further process in a container.
#include <unistd.h>
#include <csignal>

#include <fmt/format.h>

#include "kernel/credentials.hpp"
#include "kernel/terminal.hpp"
#include "runtime/commands.hpp"
#include "runtime/create.hpp"
#include "runtime/exec_process.hpp"
#include "runtime/exec_request.hpp"
#include "runtime/flags.hpp"
#include "runtime/foreground.hpp"
#include "runtime/validate.hpp"

namespace gantry::runtime {
namespace {

struct Options {
  ExecFlags flags;
  std::string pidFile;
  std::string consoleSocket;
  std::string cgroup;
  bool detach = false;
  bool ignorePaused = false;
  bool noSubreaper = false;
  unsigned preserveDescriptors = 0;
};

Result<Options> parse(Words& words) {
  Options options;
  TRY_VOID(parseFlags(words, {{"process,p", &options.flags.process},
                              {"tty,t", &options.flags.terminal},
                              {"cwd", &options.flags.cwd},
                              {"env,e", &options.flags.environment},
                              {"user,u", &options.flags.user},
                              {"additional-gids,g", &options.flags.additionalGids},
                              {"cap,c", &options.flags.capabilities},
                              {"no-new-privs", &options.flags.noNewPrivileges},
                              {"apparmor", &options.flags.apparmor},
                              {"process-label", &options.flags.label},
                              {"pid-file", &options.pidFile},
                              {"console-socket", &options.consoleSocket},
                              {"cgroup", &options.cgroup},
                              {"detach,d", &options.detach},
                              {"ignore-paused", &options.ignorePaused},
                              {"no-subreaper", &options.noSubreaper},
                              {"preserve-fds", &options.preserveDescriptors}}));
  TRY_VOID(expectWords(words, 1, static_cast<std::size_t>(-1), "exec [flags] ID [COMMAND [ARGUMENT...]]"));
  if (!options.cgroup.empty()) {
    return Error(Code::Unsupported, "--cgroup: a process always joins the container's own cgroup");
  }
  TRY_VOID(kernel::closeOnExecFrom(3 + static_cast<int>(options.preserveDescriptors)));
  return options;
}

Result<void> checkStatus(Status status, bool ignorePaused) {
  if (status == Status::Stopped || status == Status::Creating) {
    return Error(Code::InvalidArgument, fmt::format("cannot exec in a {} container", toString(status)));
  }
  if (status == Status::Paused && !ignorePaused) {
    return Error(Code::InvalidArgument, "cannot exec in a paused container (use --ignore-paused to override)");
  }
  return {};
}

// A process that its caller cannot find is ended: the caller will believe that there is none.
Result<void> recordPid(const std::string& file, const kernel::Process& process) {
  if (file.empty()) return {};
  auto written = writePidFile(file, process.pid());
  if (!written) ignore(process.signal(SIGKILL), "it may have ended");
  return written;
}

}  // namespace

Result<int> exec(const Globals& globals, Words words) {
  TRY(const Options options, parse(words));
  ExecOptions wanted;
  ContainerRecord record;
  oci::Spec spec;
  {
    TRY(const ContainerDirectory directory, globals.store().openUnlocked(words[0]));
    TRY(record, directory.load());
    TRY(const Status status, directory.status(record));
    TRY_VOID(checkStatus(status, options.ignorePaused));
    TRY(spec, directory.loadSpec());
  }
  const std::vector<std::string> arguments(words.begin() + 1, words.end());
  TRY(wanted.process, processFor(options.flags, arguments, spec.process.value_or(oci::Process())));
  TRY_VOID(validateProcess(wanted.process, HostFeatures::detect()));
  wanted.consoleSocket = options.consoleSocket;
  wanted.proxiesTerminal = !options.detach;
  wanted.waitsWhilePaused = options.ignorePaused;
  wanted.seccompCache = globals.store().seccompCache();

  if (options.detach) {
    TRY(const ExecutedProcess executed, executeInContainer(record, spec, wanted));
    TRY_VOID(recordPid(options.pidFile, executed.process));
    return 0;
  }
  TRY(Foreground foreground, Foreground::prepare());
  if (!options.noSubreaper) TRY_VOID(kernel::becomeSubreaper());
  TRY(ExecutedProcess executed, executeInContainer(record, spec, wanted));
  TRY_VOID(recordPid(options.pidFile, executed.process));
  auto status = foreground.supervise(executed.process, std::move(executed.terminal));
  if (!status) ignore(executed.process.signal(SIGKILL), "it may have ended");
  return status;
}

}  // namespace gantry::runtime
