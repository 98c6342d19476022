// create, run, start, delete: the commands that move a container from one state to the next.
#include <sys/socket.h>
#include <csignal>

#include <fmt/format.h>

#include "base/log.hpp"
#include "kernel/credentials.hpp"
#include "kernel/file.hpp"
#include "kernel/poll.hpp"
#include "kernel/socket.hpp"
#include "runtime/await.hpp"
#include "runtime/cgroup.hpp"
#include "runtime/commands.hpp"
#include "runtime/create.hpp"
#include "runtime/flags.hpp"
#include "runtime/foreground.hpp"
#include "runtime/hooks.hpp"
#include "runtime/seccomp.hpp"
#include "runtime/steps.hpp"

namespace gantry::runtime {
namespace {

struct CreateFlags {
  CreateOptions options;
  bool noPivot = false;
  bool noNewKeyring = false;
  unsigned preserveDescriptors = 0;

  Result<void> finish(const Globals& globals) {
    options.newKeyring = !noNewKeyring;
    if (noPivot) return Error(Code::Unsupported, "--no-pivot: the root is always changed with pivot_root");
    if (globals.systemdCgroup) {
      return Error(Code::Unsupported, "--systemd-cgroup: cgroups are made directly, not by systemd");
    }
    return kernel::closeOnExecFrom(3 + static_cast<int>(preserveDescriptors));
  }
};

void runPoststart(const ContainerDirectory& directory, const ContainerRecord& record) {
  if (!record.hasLateHooks) return;
  const auto spec = directory.loadSpec();
  if (spec && spec->hooks) {
    runHooksAndWarn("poststart", spec->hooks->poststart, stateJson(record, Status::Running), record.bundle);
  }
}

// Until the program runs. A container that is paused before it does has been started all the same.
Result<void> followStart(const ContainerDirectory& directory, const ContainerRecord& record,
                         const kernel::Fd& channel) {
  const Cgroup cgroup(record.cgroups);
  while (true) {
    auto received = receiveFrom(cgroup, channel);
    if (!received && received.error().code() == Code::Busy) return {};
    TRY(const Message message, std::move(received));
    if (message.kind == Message::Kind::Failed) return toError(message);
    if (message.kind != Message::Kind::Listener) return {};
    TRY(const oci::Spec spec, directory.loadSpec());
    const oci::Seccomp& seccomp = *spec.linux->seccomp;
    TRY_VOID(sendSeccompListener(seccomp.listenerPath, message.descriptor,
                                 seccompStateJson(record, Status::Created, record.init.pid, seccomp)));
    Message proceed;
    proceed.kind = Message::Kind::Proceed;
    TRY_VOID(send(channel, proceed));
  }
}

// Kills what still runs in the container and removes everything of it; poststop hooks come last.
Result<void> destroy(const ContainerDirectory& directory, const ContainerRecord& record) {
  std::vector<oci::Hook> poststop;
  if (record.hasLateHooks) {
    const auto spec = directory.loadSpec();
    if (spec && spec->hooks) poststop = spec->hooks->poststop;
  }
  const Cgroup cgroup(record.cgroups);
  TRY_VOID(cgroup.kill());
  TRY_VOID(cgroup.remove());
  TRY_VOID(directory.remove());
  runHooksAndWarn("poststop", poststop, stateJson(record, Status::Stopped), record.bundle);
  return {};
}

// Unless somebody else has deleted it: its id and its cgroups may be another container's by now.
Result<void> destroyOnce(const StateStore& store, const ContainerRecord& record) {
  const auto directory = store.open(record.id);
  if (!directory) return {};
  auto loaded = directory->load();
  if (!loaded && loaded.error().code() == Code::NotFound) return {};
  TRY(const ContainerRecord current, std::move(loaded));
  return current.init == record.init ? destroy(*directory, record) : Result<void>();
}

// Forced deletion ends the first process itself too: a cgroup shared with others may not be killed as a whole.
Result<void> endInit(const ContainerRecord& record) {
  const auto process = kernel::Process::open(record.init);
  if (!process) return {};
  ignore(process->signal(SIGKILL), "it may have ended this moment");
  // A frozen process of cgroup v1 dies when it is thawed.
  TRY_VOID(Cgroup(record.cgroups).thaw());
  ignore(kernel::waitReadable({&process->pidfd()}, std::chrono::seconds(10)), "removing the cgroup tells");
  return {};
}

}  // namespace

Result<int> create(const Globals& globals, Words words) {
  CreateFlags flags;
  TRY_VOID(parseFlagsAnywhere(words, {{"bundle,b", &flags.options.bundle},
                                      {"pid-file", &flags.options.pidFile},
                                      {"console-socket", &flags.options.consoleSocket},
                                      {"no-pivot", &flags.noPivot},
                                      {"no-new-keyring", &flags.noNewKeyring},
                                      {"preserve-fds", &flags.preserveDescriptors}}));
  TRY_VOID(expectWords(words, 1, 1, "create [flags] ID"));
  TRY_VOID(flags.finish(globals));
  TRY_VOID(createContainer(globals.store(), words[0], flags.options));
  return 0;
}

Result<int> run(const Globals& globals, Words words) {
  CreateFlags flags;
  bool detach = false;
  bool keep = false;
  bool noSubreaper = false;
  TRY_VOID(parseFlagsAnywhere(words, {{"bundle,b", &flags.options.bundle},
                                      {"pid-file", &flags.options.pidFile},
                                      {"console-socket", &flags.options.consoleSocket},
                                      {"detach,d", &detach},
                                      {"keep", &keep},
                                      {"no-subreaper", &noSubreaper},
                                      {"no-pivot", &flags.noPivot},
                                      {"no-new-keyring", &flags.noNewKeyring},
                                      {"preserve-fds", &flags.preserveDescriptors}}));
  TRY_VOID(expectWords(words, 1, 1, "run [flags] ID"));
  TRY_VOID(flags.finish(globals));
  flags.options.startsAtOnce = true;
  flags.options.proxiesTerminal = !detach;
  if (detach) {
    TRY(const CreatedContainer created, createContainer(globals.store(), words[0], flags.options));
    created.directory.unlock();
    runPoststart(created.directory, created.record);
    return 0;
  }
  // Before there is a child, so that no signal meets a runtime that does not pass it on yet.
  TRY(Foreground foreground, Foreground::prepare());
  if (!noSubreaper) TRY_VOID(kernel::becomeSubreaper());
  TRY(CreatedContainer created, createContainer(globals.store(), words[0], flags.options));
  // Others may pause, kill and delete it while it runs.
  created.directory.unlock();
  runPoststart(created.directory, created.record);
  const auto status = foreground.supervise(created.init, std::move(created.terminal));
  // Nobody would be left who waits for it.
  if (!status) ignore(created.init.signal(SIGKILL), "it may have ended");
  if (keep) return status;
  TRY_VOID(destroyOnce(globals.store(), created.record));
  return status;
}

Result<int> start(const Globals& globals, Words words) {
  TRY_VOID(parseFlagsAnywhere(words, {}));
  TRY_VOID(expectWords(words, 1, 1, "start ID"));
  TRY(const ContainerDirectory directory, globals.store().open(words[0]));
  TRY(const ContainerRecord record, directory.load());
  TRY(const Status status, directory.status(record));
  if (status != Status::Created) {
    return Error(Code::InvalidArgument,
                 fmt::format("cannot start a container that is {}: '{}'", toString(status), record.id));
  }
  TRY(const kernel::Fd channel,
      kernel::connectUnix(fmt::format("{}/{}", directory.path(), kStartSocket), SOCK_SEQPACKET));
  Message proceed;
  proceed.kind = Message::Kind::Proceed;
  proceed.text = stateJson(record, Status::Created);
  TRY_VOID(send(channel, proceed));
  // Whatever comes of it, it has been started once. Its first process may have been stopped, or wait for a hook: others
  // must be able to continue or end it.
  TRY_VOID(kernel::unlinkAt(directory.fd(), kStartSocket));
  directory.unlock();
  TRY_VOID(followStart(directory, record, channel));
  runPoststart(directory, record);
  return 0;
}

Result<int> remove(const Globals& globals, Words words) {
  bool force = false;
  TRY_VOID(parseFlagsAnywhere(words, {{"force,f", &force}}));
  TRY_VOID(expectWords(words, 1, 1, "delete [--force] ID"));
  auto opened = globals.store().open(words[0]);
  if (!opened && force && opened.error().code() == Code::NotFound) return 0;
  TRY(const ContainerDirectory directory, std::move(opened));
  auto loaded = directory.load();
  if (!loaded && force && loaded.error().code() == Code::NotFound) {
    // `create` was killed before it wrote anything that could tell more.
    TRY_VOID(directory.remove());
    return 0;
  }
  TRY(const ContainerRecord record, std::move(loaded));
  TRY(const Status status, directory.status(record));
  if (status != Status::Stopped) {
    if (!force) {
      return Error(Code::Busy,
                   fmt::format("cannot delete container '{}' that is not stopped: {}", record.id, toString(status)));
    }
    TRY_VOID(endInit(record));
  }
  TRY_VOID(destroy(directory, record));
  return 0;
}

}  // namespace gantry::runtime
