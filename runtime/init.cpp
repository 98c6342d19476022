#include "runtime/init.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <cerrno>

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "kernel/clone.hpp"
#include "kernel/credentials.hpp"
#include "kernel/file.hpp"
#include "kernel/mount.hpp"
#include "kernel/network.hpp"
#include "kernel/poll.hpp"
#include "kernel/socket.hpp"
#include "runtime/console.hpp"
#include "runtime/devices.hpp"
#include "runtime/hooks.hpp"
#include "runtime/masked_paths.hpp"
#include "runtime/program.hpp"
#include "runtime/root_directory.hpp"
#include "runtime/stdio.hpp"
#include "runtime/steps.hpp"

namespace gantry::runtime {
namespace {

// sysctl(8): the first separator says whether components are parted by dots, a slash then standing for a dot in a name
// ("net.ipv4.conf.eth0/100.forwarding"), or by slashes ("net/ipv4/conf/eth0.100/forwarding").
std::string sysctlFile(std::string key) {
  const auto first = key.find_first_of("./");
  if (first == std::string::npos || key[first] == '/') return key;
  for (char& c : key) {
    if (c == '.') {
      c = '/';
    } else if (c == '/') {
      c = '.';
    }
  }
  return key;
}

class Init {
 public:
  explicit Init(InitPlan& plan)
      : plan_(plan),
        linux_(*plan.spec.linux),
        process_(*plan.spec.process),
        program_(process_, plan.capabilities, plan.seccomp, plan.mayDropGroups) {}

  // Returns only on failure.
  Error run() {
    const auto done = runSteps();
    return done ? Error(Code::Internal, "ended without running the program") : done.error();
  }
  Step step() const { return step_; }
  const kernel::Fd& channel() const { return start_ ? start_ : plan_.messages; }

 private:
  Result<void> runSteps() {
    TRY_VOID(enter(Step::JoinCgroup, [&] { return joinCgroup(); }));
    if (plan_.namespaces.needsSecondClone()) {
      TRY_VOID(enter(Step::Namespaces, [&] { return joinAll(plan_.namespaces); }));
      TRY_VOID(enter(Step::CloneAgain, [&] { return cloneAgain(); }));
    }
    if (plan_.waits) TRY_VOID(enter(Step::Wait, [&] { return waitForProceed(plan_.messages); }));
    if (!plan_.namespaces.needsSecondClone()) {
      TRY_VOID(enter(Step::Namespaces, [&] { return joinAll(plan_.namespaces); }));
    }
    TRY_VOID(enter(Step::Namespaces, [&] { return finishNamespaces(); }));
    TRY_VOID(enter(Step::Session, [&] { return startSession(); }));
    TRY_VOID(enter(Step::Host, [&] { return setUpHost(); }));
    TRY_VOID(enter(Step::Sysctl, [&] { return setSysctls(); }));
    TRY_VOID(enter(Step::Rootfs, [&] { return attachRoot(); }));
    TRY_VOID(enter(Step::Mounts, [&] { return mountAll(); }));
    TRY_VOID(enter(Step::Devices, [&] { return setUpDevices(); }));
    TRY_VOID(enter(Step::Console, [&] { return setUpConsole(); }));
    if (plan_.stopsAtHooks) TRY_VOID(enter(Step::Hooks, [&] { return stopAtHooks(); }));
    TRY_VOID(enter(Step::MaskedPaths, [&] { return hidePaths(); }));
    TRY_VOID(enter(Step::Pivot, [&] { return changeRoot(); }));
    TRY_VOID(enter(Step::Limits, [&] { return setLimits(process_); }));
    TRY_VOID(enter(Step::Credentials, [&] { return program_.becomeUser(plan_.proc); }));
    TRY_VOID(enter(Step::WorkingDirectory, [&] { return program_.enterDirectory(); }));
    TRY_VOID(enter(Step::Executable, [&] { return program_.find(); }));
    if (plan_.startListener) TRY_VOID(enter(Step::Start, [&] { return waitForStart(); }));
    if (plan_.spec.hooks && !plan_.spec.hooks->startContainer.empty()) {
      TRY_VOID(enter(Step::Hooks,
                     [&] { return runHooks("startContainer", plan_.spec.hooks->startContainer, state_, "/"); }));
    }
    TRY_VOID(enter(Step::Seccomp, [&] { return program_.dropLastRights(channel()); }));
    return enter(Step::Exec, [&]() -> Result<void> { return program_.execute(); });
  }

  template <typename Function>
  Result<void> enter(Step step, Function function) {
    step_ = step;
    return function();
  }

  Result<void> joinCgroup() {
    // From here on we share processes, files and namespaces with the container; nobody there may look at us.
    TRY_VOID(kernel::setUndumpable());
    const int failure = plan_.cgroup.enter();
    if (failure != 0) return Error::fromErrno(failure, "write the cgroup's tasks");
    return {};
  }

  Result<void> cloneAgain() {
    TRY(const kernel::Process child, kernel::cloneProcess(plan_.namespaces.cloneFlags() | CLONE_PARENT, kernel::Fd()));
    if (!child) return {};
    Message cloned;
    cloned.kind = Message::Kind::Cloned;
    cloned.pid = child.pid();
    const auto sent = send(plan_.messages, cloned);
    ::_exit(sent ? 0 : 1);
  }

  Result<void> waitForProceed(const kernel::Fd& channel) {
    TRY(Message message, receive(channel));
    if (message.kind != Message::Kind::Proceed) return Error(Code::Cancelled, "the runtime has ended");
    state_ = std::move(message.text);
    return {};
  }

  Result<void> finishNamespaces() {
    if (plan_.namespaces.makes(CLONE_NEWTIME)) TRY_VOID(enterTimeNamespace());
    if (plan_.namespaces.makes(CLONE_NEWCGROUP)) TRY_VOID(kernel::unshare(CLONE_NEWCGROUP));
    if (!inUserNamespace()) return {};
    // The namespace's own root; what is made in the container belongs to it.
    return plan_.mayDropGroups ? kernel::becomeUser(0, 0, {}) : kernel::becomeUserKeepingGroups(0, 0);
  }

  Result<void> enterTimeNamespace() {
    TRY_VOID(kernel::unshare(CLONE_NEWTIME));
    for (const auto& [clock, offset] : linux_.timeOffsets) {
      TRY_VOID(kernel::writeExistingAt(plan_.proc, "self/timens_offsets",
                                       fmt::format("{} {} {}", clock, offset.secs, offset.nanosecs))
                   .under(fmt::format("linux.timeOffsets.{}", clock)));
    }
    TRY(const kernel::Fd mine, kernel::openAt(plan_.proc, "self/ns/time_for_children", O_RDONLY));
    return kernel::joinNamespaces(mine, CLONE_NEWTIME);
  }

  Result<void> startSession() {
    if (::setsid() < 0) return Error::fromErrno(errno, "setsid");
    if (plan_.keyring.empty()) return {};
    auto joined = kernel::joinNewSessionKeyring(plan_.keyring);
    // A kernel without keyrings, or a user with too many of them, is no reason not to run.
    if (!joined && (joined.error().number() == ENOSYS || joined.error().number() == EDQUOT)) return {};
    return joined;
  }

  Result<void> setUpHost() {
    if (plan_.namespaces.makes(CLONE_NEWNET)) TRY_VOID(kernel::bringLoopbackUp());
    if (!plan_.spec.hostname.empty()) TRY_VOID(kernel::setHostname(plan_.spec.hostname).under("hostname"));
    if (!plan_.spec.domainname.empty()) TRY_VOID(kernel::setDomainname(plan_.spec.domainname).under("domainname"));
    if (linux_.personality) {
      TRY_VOID(kernel::setPersonality(linux_.personality->domain).under("linux.personality.domain"));
    }
    return {};
  }

  Result<void> setSysctls() {
    for (const auto& [key, value] : linux_.sysctl) {
      TRY_VOID(kernel::writeExistingAt(plan_.proc, fmt::format("sys/{}", sysctlFile(key)), value)
                   .under(fmt::format("linux.sysctl.{}", key)));
    }
    return {};
  }

  // The new root is attached on top of the old one: a target that needs no look-up, so that the directory may lie where
  // a user namespace's root cannot go.
  Result<void> attachRoot() {
    TRY_VOID(kernel::mount("", "/", "", MS_REC | MS_SLAVE, ""));
    TRY(const kernel::Fd slash, kernel::open("/", O_PATH | O_DIRECTORY));
    TRY_VOID(kernel::attachMount(plan_.rootTree, slash));
    root_.emplace(std::move(plan_.rootTree));
    return {};
  }

  Result<void> mountAll() {
    TRY(becomeReadOnly_, attachMounts(*root_, plan_.mounts, plan_.namespaces.makes(CLONE_NEWCGROUP)));
    // As runc does: images name a working directory that nothing in them makes.
    ignore(root_->openOrMakeDirectory(process_.cwd), "entering it tells");
    return {};
  }

  Result<void> setUpDevices() {
    if (!makesDevices(plan_.spec)) return {};
    ::umask(0);
    TRY_VOID(makeDevices(*root_, devicesOf(plan_.spec), inUserNamespace()));
    TRY_VOID(makeDeviceLinks(*root_));
    ::umask(022);
    return {};
  }

  Result<void> setUpConsole() {
    if (!process_.terminal) return giveStdioTo(process_.user.uid);
    TRY(const Console console, openConsole(*root_, process_));
    TRY_VOID(mountConsole(*root_, console.terminal));
    TRY_VOID(sendConsole(plan_.consoleSocket, console.master));
    TRY_VOID(useTerminal(console.terminal));
    return giveStdioTo(process_.user.uid);
  }

  Result<void> stopAtHooks() {
    Message message;
    message.kind = Message::Kind::AtHooks;
    TRY_VOID(send(plan_.messages, message));
    TRY_VOID(waitForProceed(plan_.messages));
    return runHooks("createContainer", plan_.spec.hooks->createContainer, state_, plan_.bundle);
  }

  Result<void> hidePaths() {
    TRY_VOID(makePathsReadOnly(*root_, linux_.readonlyPaths));
    TRY_VOID(maskPaths(*root_, linux_.maskedPaths));
    struct mount_attr readOnly{};
    readOnly.attr_set = MOUNT_ATTR_RDONLY;
    for (const kernel::Fd& mount : becomeReadOnly_) TRY_VOID(kernel::setMountAttributes(mount, readOnly));
    if (plan_.spec.root->readonly) TRY_VOID(kernel::setMountAttributes(root_->fd(), readOnly).under("root.readonly"));
    return {};
  }

  Result<void> changeRoot() {
    if (::fchdir(root_->fd().raw()) != 0) return Error::fromErrno(errno, "enter the root");
    TRY_VOID(kernel::pivotIntoWorkingDirectory());
    TRY_VOID(kernel::unmount(".", MNT_DETACH));
    if (::chdir("/") != 0) return Error::fromErrno(errno, "enter the root");
    TRY(const unsigned long propagation, parsePropagation(linux_.rootfsPropagation));
    return propagation == 0 ? Result<void>() : kernel::mount("", "/", "", propagation, "");
  }

  bool inUserNamespace() const {
    return plan_.namespaces.makes(CLONE_NEWUSER) || plan_.namespaces.joins(CLONE_NEWUSER);
  }

  Result<void> waitForStart() {
    Message ready;
    ready.kind = Message::Kind::Ready;
    TRY_VOID(send(plan_.messages, ready));
    // The runtime that made us ends now; its closing the pair is not a message.
    plan_.messages.reset();
    while (true) {
      TRY_VOID(kernel::waitReadable({&plan_.startListener}));
      TRY(auto connection, kernel::accept(plan_.startListener));
      if (!connection) continue;
      start_ = *std::move(connection);
      TRY_VOID(kernel::waitReadable({&start_}));
      TRY(Message message, receive(start_));
      // A `start` that was killed before it could say so has not started anything.
      if (message.kind != Message::Kind::Proceed) continue;
      state_ = std::move(message.text);
      return {};
    }
  }

  InitPlan& plan_;
  const oci::Linux& linux_;
  const oci::Process& process_;
  Step step_ = Step::JoinCgroup;
  std::string state_;
  std::optional<RootDirectory> root_;
  std::vector<kernel::Fd> becomeReadOnly_;
  Program program_;
  kernel::Fd start_;
};

}  // namespace

void runInit(InitPlan& plan) {
  Init init(plan);
  const Error error = init.run();
  Message failed;
  failed.step = init.step();
  failed.kind = Message::Kind::Failed;
  failed.number = error.number();
  failed.code = error.code();
  failed.text = error.message();
  ignore(send(init.channel(), failed), "nobody is left to tell");
  ::_exit(1);
}

}  // namespace gantry::runtime
