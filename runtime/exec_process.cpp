#include "runtime/exec_process.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>
#include <csignal>

#include <fmt/format.h>

#include "base/log.hpp"
#include "kernel/clone.hpp"
#include "kernel/credentials.hpp"
#include "kernel/descriptor_passing.hpp"
#include "kernel/file.hpp"
#include "kernel/poll.hpp"
#include "kernel/socket.hpp"
#include "runtime/await.hpp"
#include "runtime/console.hpp"
#include "runtime/create.hpp"
#include "runtime/program.hpp"
#include "runtime/stdio.hpp"
#include "runtime/steps.hpp"

namespace gantry::runtime {
namespace {

struct ExecPlan {
  const oci::Process* process = nullptr;
  // The container's first process, and those of its namespaces that are entered after clone.
  kernel::Process init;
  std::uint64_t namespaces = 0;
  CgroupJoin cgroup;
  GrantedCapabilities capabilities;
  SeccompFilter seccomp;
  kernel::Fd proc;
  bool mayDropGroups = true;
  kernel::Fd consoleSocket;
  kernel::Fd messages;
};

// The child's side: the steps of a container's first process without those that make the container.
class ExecChild {
 public:
  explicit ExecChild(ExecPlan& plan)
      : plan_(plan), process_(*plan.process), program_(process_, plan.capabilities, plan.seccomp, plan.mayDropGroups) {}

  Error run() {
    const auto done = runSteps();
    return done ? Error(Code::Internal, "ended without running the program") : done.error();
  }
  Step step() const { return step_; }

 private:
  template <typename Function>
  Result<void> enter(Step step, Function function) {
    step_ = step;
    return function();
  }

  Result<void> runSteps() {
    TRY_VOID(enter(Step::JoinCgroup, [&] { return joinCgroup(); }));
    TRY_VOID(enter(Step::Namespaces, [&] { return joinNamespaces(); }));
    TRY_VOID(enter(Step::CloneAgain, [&] { return cloneAgain(); }));
    TRY_VOID(enter(Step::Session, [&] { return startSession(); }));
    TRY_VOID(enter(Step::Console, [&] { return setUpConsole(); }));
    TRY_VOID(enter(Step::Limits, [&] { return setLimits(process_); }));
    TRY_VOID(enter(Step::Credentials, [&] { return program_.becomeUser(plan_.proc); }));
    TRY_VOID(enter(Step::WorkingDirectory, [&] { return program_.enterDirectory(); }));
    TRY_VOID(enter(Step::Executable, [&] { return program_.find(); }));
    TRY_VOID(checkRuntime());
    TRY_VOID(enter(Step::Seccomp, [&] { return program_.dropLastRights(plan_.messages); }));
    return enter(Step::Exec, [&]() -> Result<void> { return program_.execute(); });
  }

  Result<void> joinCgroup() {
    // Once in its pid namespace the container could trace us and take the descriptors we hold (CVE-2016-9962).
    TRY_VOID(kernel::setUndumpable());
    const auto& affinity = process_.execCpuAffinity;
    if (affinity && !affinity->initial.empty()) {
      TRY_VOID(kernel::setCpuAffinity(affinity->initial).under("process.execCPUAffinity.initial"));
    }
    const int failure = plan_.cgroup.enter();
    if (failure != 0) return Error::fromErrno(failure, "write the cgroup's tasks");
    if (affinity && !affinity->final.empty()) {
      TRY_VOID(kernel::setCpuAffinity(affinity->final).under("process.execCPUAffinity.final"));
    }
    return {};
  }

  Result<void> joinNamespaces() {
    // With the rights that we have before we are in the container's user namespace.
    if (entersPidNamespace()) TRY_VOID(kernel::joinNamespaces(plan_.init.pidfd(), CLONE_NEWPID));
    const std::uint64_t others = plan_.namespaces & ~std::uint64_t{CLONE_NEWPID};
    if (others == 0) return {};
    TRY_VOID(kernel::joinNamespaces(plan_.init.pidfd(), others));
    if ((plan_.namespaces & CLONE_NEWUSER) == 0) return {};
    return plan_.mayDropGroups ? kernel::becomeUser(0, 0, {}) : kernel::becomeUserKeepingGroups(0, 0);
  }

  // A pid namespace is only ever entered by being born in it, and whoever is in it can be looked into by a container
  // with CAP_SYS_PTRACE. So who is born there holds nothing of the host's: neither cgroups nor /proc, except to set a
  // label.
  Result<void> cloneAgain() {
    plan_.cgroup = CgroupJoin();
    if (process_.apparmorProfile.empty() && process_.selinuxLabel.empty()) plan_.proc.reset();
    if (!entersPidNamespace()) return {};
    TRY(kernel::Process child, kernel::cloneProcess(CLONE_PARENT, kernel::Fd()));
    if (!child) return {};
    Message cloned;
    cloned.kind = Message::Kind::Cloned;
    cloned.pid = child.pid();
    TRY(cloned.descriptor, kernel::duplicate(child.pidfd()));
    TRY_VOID(send(plan_.messages, cloned));
    ::_exit(0);
  }

  Result<void> startSession() {
    if (::setsid() < 0) return Error::fromErrno(errno, "setsid");
    return {};
  }

  Result<void> setUpConsole() {
    if (!process_.terminal) return giveStdioTo(process_.user.uid);
    TRY(kernel::Fd root, kernel::open("/", O_PATH | O_DIRECTORY));
    TRY(const Console console, openConsole(RootDirectory(std::move(root)), process_));
    TRY_VOID(sendConsole(plan_.consoleSocket, console.master));
    TRY_VOID(useTerminal(console.terminal));
    return giveStdioTo(process_.user.uid);
  }

  // While we were frozen, say, the runtime may have given up, and told its caller that there is no such process.
  Result<void> checkRuntime() {
    TRY(const auto hasLeft, kernel::waitReadable({&plan_.messages}, std::chrono::milliseconds(0)));
    return hasLeft[0] ? Error(Code::Cancelled, "the runtime has ended") : Result<void>();
  }

  bool entersPidNamespace() const { return (plan_.namespaces & CLONE_NEWPID) != 0; }

  ExecPlan& plan_;
  const oci::Process& process_;
  Program program_;
  Step step_ = Step::JoinCgroup;
};

[[noreturn]] void runChild(ExecPlan& plan) {
  ExecChild child(plan);
  const Error error = child.run();
  Message failed;
  failed.kind = Message::Kind::Failed;
  failed.step = child.step();
  failed.number = error.number();
  failed.code = error.code();
  failed.text = error.message();
  ignore(send(plan.messages, failed), "nobody is left to tell");
  ::_exit(255);
}

std::uint64_t namespacesOf(const oci::Spec& spec) {
  std::uint64_t flags = 0;
  if (!spec.linux) return flags;
  for (const oci::Namespace& space : spec.linux->namespaces) flags |= kernel::namespaceFlag(space.type);
  return flags;
}

// Ours is inherited by the child; we do little else from now on.
Result<void> adjustOomScore(const oci::Process& process, const kernel::Fd& proc) {
  if (!process.oomScoreAdj) return {};
  TRY(const std::string current, kernel::readFileAt(proc, "self/oom_score_adj"));
  if (current == fmt::format("{}\n", *process.oomScoreAdj)) return {};
  return kernel::writeExistingAt(proc, "self/oom_score_adj", std::to_string(*process.oomScoreAdj))
      .under("process.oomScoreAdj");
}

Result<ExecPlan> makePlan(const ContainerRecord& record, const oci::Spec& spec, const ExecOptions& options) {
  ExecPlan plan;
  plan.process = &options.process;
  TRY(plan.init, kernel::Process::open(record.init));
  plan.namespaces = namespacesOf(spec);
  TRY(plan.cgroup, Cgroup(record.cgroups).join(record.init.pid));
  if (spec.linux && spec.linux->seccomp) {
    TRY(plan.seccomp, compileSeccomp(*spec.linux->seccomp, options.seccompCache));
  }
  TRY(plan.proc, kernel::open("/proc", O_PATH | O_DIRECTORY));
  plan.mayDropGroups = mayDropGroups(plan.proc, std::to_string(record.init.pid));
  TRY_VOID(adjustOomScore(options.process, plan.proc));
  const bool ownUsers = (plan.namespaces & CLONE_NEWUSER) != 0;
  plan.capabilities = grantCapabilities(options.process.capabilities,
                                        ownUsers ? kernel::knownCapabilities() : kernel::boundingCapabilities());
  return plan;
}

Result<kernel::Fd> connectConsole(const ExecOptions& options, ExecPlan& plan) {
  if (!options.consoleSocket.empty()) {
    if (!options.process.terminal) return Error::invalid("--console-socket", "process.terminal is not set");
    TRY(plan.consoleSocket, kernel::connectUnix(options.consoleSocket, SOCK_STREAM).under("--console-socket"));
    return kernel::Fd();
  }
  if (!options.process.terminal) return kernel::Fd();
  if (!options.proxiesTerminal) return Error::invalid("process.terminal", "needs --console-socket");
  TRY(kernel::SocketPair pair, kernel::socketPair(SOCK_SEQPACKET));
  plan.consoleSocket = std::move(pair.first);
  return std::move(pair.second);
}

// Until the program runs. `child` becomes the child's child when that is cloned in its place.
Result<void> follow(const ContainerRecord& record, const oci::Spec& spec, const ExecOptions& options,
                    kernel::Process& child, const kernel::Fd& messages) {
  const Cgroup cgroup(record.cgroups);
  while (true) {
    TRY(Message message, options.waitsWhilePaused ? receive(messages) : receiveFrom(cgroup, messages));
    if (message.kind == Message::Kind::Cloned) {
      reap(child);
      child = kernel::Process(message.pid, std::move(message.descriptor));
      continue;
    }
    if (message.kind == Message::Kind::Failed) return toError(message);
    if (message.kind != Message::Kind::Listener) return {};
    const oci::Seccomp& seccomp = *spec.linux->seccomp;
    TRY_VOID(sendSeccompListener(seccomp.listenerPath, message.descriptor,
                                 seccompStateJson(record, Status::Running, child.pid(), seccomp)));
    Message proceed;
    proceed.kind = Message::Kind::Proceed;
    TRY_VOID(send(messages, proceed));
  }
}

}  // namespace

Result<ExecutedProcess> executeInContainer(const ContainerRecord& record, const oci::Spec& spec,
                                           const ExecOptions& options) {
  TRY(ExecPlan plan, makePlan(record, spec, options));
  TRY(kernel::Fd terminalSocket, connectConsole(options, plan));
  TRY(kernel::SocketPair pair, kernel::socketPair(SOCK_SEQPACKET));
  plan.messages = std::move(pair.first);

  TRY(kernel::Process child, kernel::cloneProcess(0, plan.cgroup.intoCgroup()));
  if (!child) {
    pair.second.reset();
    terminalSocket.reset();
    runChild(plan);
  }
  plan.messages.reset();
  plan.consoleSocket.reset();
  const auto followed = follow(record, spec, options, child, pair.second);
  if (!followed) {
    ignore(child.signal(SIGKILL), "it may be gone already");
    reap(child);
    return followed.error();
  }
  ExecutedProcess executed{std::move(child), kernel::Fd()};
  if (terminalSocket) {
    TRY(kernel::Packet packet, kernel::receiveWithDescriptor(terminalSocket, 64));
    executed.terminal = std::move(packet.descriptor);
  }
  return executed;
}

}  // namespace gantry::runtime
