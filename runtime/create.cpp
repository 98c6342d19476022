#include "runtime/create.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <ctime>

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "base/log.hpp"
#include "base/scope_exit.hpp"
#include "kernel/cgroup.hpp"
#include "kernel/clone.hpp"
#include "kernel/descriptor_passing.hpp"
#include "kernel/file.hpp"
#include "kernel/mount.hpp"
#include "kernel/socket.hpp"
#include "oci/json.hpp"
#include "oci/state.hpp"
#include "runtime/await.hpp"
#include "runtime/hooks.hpp"
#include "runtime/id_maps.hpp"
#include "runtime/init.hpp"
#include "runtime/steps.hpp"
#include "runtime/validate.hpp"

namespace gantry::runtime {
namespace {

Result<std::string> absolutePath(const std::string& path) {
  char resolved[PATH_MAX];
  if (::realpath(path.c_str(), resolved) == nullptr) return Error::fromErrno(errno, fmt::format("find '{}'", path));
  return std::string(resolved);
}

std::string now() {
  timespec time{};
  ::clock_gettime(CLOCK_REALTIME, &time);
  tm utc{};
  ::gmtime_r(&time.tv_sec, &utc);
  char text[32];
  const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  return fmt::format("{}.{:09}Z", std::string_view(text, length), time.tv_nsec);
}

class Creation {
 public:
  Creation(const StateStore& store, ContainerDirectory directory, const std::string& id, const CreateOptions& options)
      : store_(store), options_(options), directory_(std::move(directory)) {
    record_.id = id;
  }

  Result<CreatedContainer> run() {
    auto created = attempt();
    if (!created) undo();
    return created;
  }

 private:
  Result<CreatedContainer> attempt() {
    TRY_VOID(readBundle());
    TRY_VOID(makeCgroup());
    TRY_VOID(plan());
    TRY_VOID(connectConsole());
    TRY_VOID(launch());
    TRY_VOID(follow());
    // Not before: others would take a first process that is still in the host's root for a container.
    TRY_VOID(directory_.save(record_));
    TRY_VOID(receiveTerminal());
    if (!options_.pidFile.empty()) TRY_VOID(writePidFile(options_.pidFile, init_.pid()));
    return CreatedContainer{std::move(directory_), std::move(record_), std::move(init_), std::move(terminal_)};
  }

  Result<void> readBundle() {
    TRY(record_.bundle, absolutePath(options_.bundle).under("bundle"));
    const std::string file = record_.bundle + "/config.json";
    TRY(const std::string text, kernel::readFile(file));
    TRY(plan_.spec, oci::parseSpec(text).under(file));
    TRY_VOID(validate(plan_.spec, HostFeatures::detect()).under(file));
    const std::string& root = plan_.spec.root->path;
    TRY(record_.rootfs,
        absolutePath(root.starts_with('/') ? root : fmt::format("{}/{}", record_.bundle, root)).under("root.path"));
    record_.created = now();
    record_.owner = ::getuid();
    record_.annotations = plan_.spec.annotations;
    if (plan_.spec.hooks) {
      record_.hasLateHooks = !plan_.spec.hooks->poststart.empty() || !plan_.spec.hooks->poststop.empty();
    }
    plan_.bundle = record_.bundle;
    return directory_.saveSpec(text);
  }

  Result<void> makeCgroup() {
    TRY(const kernel::CgroupLayout layout, kernel::CgroupLayout::detect());
    const oci::Resources resources = plan_.spec.linux->resources.value_or(oci::Resources());
    TRY(Cgroup cgroup, Cgroup::create(layout, plan_.spec.linux->cgroupsPath, record_.id, resources));
    cgroup_ = std::move(cgroup);
    record_.cgroups = cgroup_->state();
    // Without a process yet: should we be killed now, `delete` knows from this what to clear away.
    return directory_.save(record_);
  }

  Result<void> plan() {
    const oci::Linux& linux = *plan_.spec.linux;
    TRY(plan_.cgroup, cgroup_->join());
    TRY(plan_.namespaces, planNamespaces(linux.namespaces));
    if (linux.seccomp) {
      TRY(plan_.seccomp, compileSeccomp(*linux.seccomp, store_.seccompCache()));
    }
    TRY(plan_.proc, kernel::open("/proc", O_PATH | O_DIRECTORY));
    TRY_VOID(checkSysctls());
    TRY(plan_.rootTree, kernel::openTree(kernel::workingDirectory(), record_.rootfs, OPEN_TREE_CLONE | AT_RECURSIVE)
                            .under("root.path"));
    struct mount_attr attributes{};
    attributes.propagation = MS_PRIVATE;
    TRY_VOID(kernel::setMountAttributes(plan_.rootTree, attributes, AT_RECURSIVE));
    TRY(plan_.mounts, prepareMounts(plan_.spec, record_.bundle, record_.cgroups));

    const bool ownUsers = plan_.namespaces.makes(CLONE_NEWUSER) || plan_.namespaces.joins(CLONE_NEWUSER);
    plan_.capabilities = grantCapabilities(plan_.spec.process->capabilities,
                                           ownUsers ? kernel::knownCapabilities() : kernel::boundingCapabilities());
    if (!plan_.capabilities.missing.empty()) {
      log::warning(
          "capabilities are not available here and left out",
          {{"container", record_.id}, {"capabilities", fmt::format("{}", fmt::join(plan_.capabilities.missing, ","))}});
    }
    plan_.mayDropGroups =
        mayDropGroups(plan_.proc, "self") && (!plan_.namespaces.makes(CLONE_NEWUSER) || ::geteuid() == 0);
    if (options_.newKeyring) plan_.keyring = fmt::format("_ses.{}", record_.id);
    const auto& hooks = plan_.spec.hooks;
    plan_.stopsAtHooks = hooks && (!hooks->prestart.empty() || !hooks->createRuntime.empty() ||
                                   !hooks->createContainer.empty() || !hooks->startContainer.empty());
    TRY(const bool adjustsOom, needsOomAdjustment());
    plan_.waits = plan_.namespaces.makes(CLONE_NEWUSER) || adjustsOom;
    if (!options_.startsAtOnce) {
      TRY(plan_.startListener,
          kernel::listenUnix(fmt::format("{}/{}", directory_.path(), kStartSocket), SOCK_SEQPACKET, 0600));
    }
    return {};
  }

  // The container shares a namespace of the host's although it names one: its sysctls are the host's (CVE-2022-0532).
  Result<void> checkSysctls() {
    if (plan_.spec.linux->sysctl.empty()) return {};
    for (const auto& space : plan_.spec.linux->namespaces) {
      const auto flag = kernel::namespaceFlag(space.type);
      const auto& joined = plan_.namespaces.joined;
      const auto each =
          std::find_if(joined.begin(), joined.end(), [&](const JoinedNamespace& one) { return one.flag == flag; });
      if (each == joined.end()) continue;
      TRY(const struct stat theirs, kernel::statAt(each->descriptor, "", AT_EMPTY_PATH));
      TRY(const struct stat ours,
          kernel::statAt(plan_.proc, fmt::format("self/ns/{}", kernel::namespaceFile(space.type))));
      if (theirs.st_ino != ours.st_ino) continue;
      for (const auto& [key, value] : plan_.spec.linux->sysctl) {
        if (sysctlNamespace(key) != space.type) continue;
        return Error::invalid(fmt::format("linux.sysctl.{}", key),
                              fmt::format("the {} namespace is the host's", space.type));
      }
    }
    return {};
  }

  Result<bool> needsOomAdjustment() {
    const auto& wanted = plan_.spec.process->oomScoreAdj;
    if (!wanted) return false;
    TRY(const std::string current, kernel::readFileAt(plan_.proc, "self/oom_score_adj"));
    return current != fmt::format("{}\n", *wanted);
  }

  Result<void> connectConsole() {
    const bool wantsTerminal = plan_.spec.process->terminal;
    if (!options_.consoleSocket.empty()) {
      if (!wantsTerminal) return Error::invalid("--console-socket", "process.terminal is not set");
      TRY(plan_.consoleSocket, kernel::connectUnix(options_.consoleSocket, SOCK_STREAM).under("--console-socket"));
      return {};
    }
    if (!wantsTerminal) return {};
    if (!options_.proxiesTerminal) return Error::invalid("process.terminal", "needs --console-socket");
    TRY(kernel::SocketPair pair, kernel::socketPair(SOCK_SEQPACKET));
    plan_.consoleSocket = std::move(pair.first);
    terminalSocket_ = std::move(pair.second);
    return {};
  }

  Result<void> launch() {
    TRY(kernel::SocketPair pair, kernel::socketPair(SOCK_SEQPACKET));
    plan_.messages = std::move(pair.first);
    messages_ = std::move(pair.second);
    const bool twice = plan_.namespaces.needsSecondClone();
    const std::uint64_t fresh = twice ? 0 : plan_.namespaces.cloneFlags();
    TRY(init_, kernel::cloneProcess(fresh, plan_.cgroup.intoCgroup()));
    if (!init_) {
      messages_.reset();
      terminalSocket_.reset();
      directory_.close();
      runInit(plan_);
    }
    plan_.messages.reset();
    plan_.consoleSocket.reset();
    plan_.startListener.reset();
    if (twice) TRY_VOID(adoptSecondChild());
    return plan_.waits ? prepareChild() : Result<void>();
  }

  Result<void> adoptSecondChild() {
    TRY(const Message message, receiveFrom(*cgroup_, messages_));
    if (message.kind == Message::Kind::Failed) return toError(message);
    if (message.kind != Message::Kind::Cloned) return childEnded();
    TRY(kernel::Process second, kernel::Process::open(message.pid));
    reap(init_);
    init_ = std::move(second);
    return {};
  }

  // What only the runtime may do for the child, which waits meanwhile.
  Result<void> prepareChild() {
    const oci::Linux& linux = *plan_.spec.linux;
    if (plan_.namespaces.makes(CLONE_NEWUSER)) {
      TRY_VOID(writeIdMaps(init_.pid(), linux.uidMappings, linux.gidMappings));
    }
    if (const auto& wanted = plan_.spec.process->oomScoreAdj) {
      TRY_VOID(
          kernel::writeExistingAt(plan_.proc, fmt::format("{}/oom_score_adj", init_.pid()), std::to_string(*wanted))
              .under("process.oomScoreAdj"));
    }
    return proceed(Status::Creating);
  }

  Result<void> proceed(Status status) {
    Message message;
    message.kind = Message::Kind::Proceed;
    message.text = stateJson(record_, status);
    return send(messages_, message);
  }

  // Until the child is ready, runs its program, or failed.
  Result<void> follow() {
    TRY(record_.init, kernel::identify(init_.pid()));
    while (true) {
      TRY(const Message message, receiveFrom(*cgroup_, messages_));
      switch (message.kind) {
        case Message::Kind::Failed:
          return toError(message);
        case Message::Kind::AtHooks:
          TRY_VOID(runEarlyHooks());
          break;
        case Message::Kind::Listener:
          TRY_VOID(passListenerOn(message.descriptor));
          break;
        case Message::Kind::Ready:
          return {};
        default:
          // Closed by exec. A child that was killed before it got there ends the same way, and its exit status tells.
          return options_.startsAtOnce ? Result<void>() : childEnded();
      }
    }
  }

  Result<void> runEarlyHooks() {
    const oci::Hooks& hooks = *plan_.spec.hooks;
    const std::string state = stateJson(record_, Status::Creating);
    TRY_VOID(runHooks("prestart", hooks.prestart, state, record_.bundle));
    TRY_VOID(runHooks("createRuntime", hooks.createRuntime, state, record_.bundle));
    return proceed(Status::Created);
  }

  Result<void> passListenerOn(const kernel::Fd& listener) {
    const oci::Seccomp& seccomp = *plan_.spec.linux->seccomp;
    TRY_VOID(sendSeccompListener(seccomp.listenerPath, listener,
                                 seccompStateJson(record_, Status::Created, init_.pid(), seccomp)));
    return proceed(Status::Created);
  }

  Result<void> childEnded() {
    TRY(const int status, init_.wait());
    return Error(Code::Internal, fmt::format("the container's first process {}", kernel::describeWaitStatus(status)));
  }

  Result<void> receiveTerminal() {
    if (!terminalSocket_) return {};
    TRY(kernel::Packet packet, kernel::receiveWithDescriptor(terminalSocket_, 64));
    terminal_ = std::move(packet.descriptor);
    return {};
  }

  void undo() {
    if (init_) ignore(init_.signal(SIGKILL), "it may be gone already");
    // Before we wait: it thaws a frozen process, which cannot die otherwise.
    if (cgroup_) ignore(cgroup_->kill(), "remove tells");
    if (init_) reap(init_);
    if (cgroup_) {
      const auto removed = cgroup_->remove();
      if (!removed) log::warning("a cgroup is left", {{"container", record_.id}, {"error", removed.error()}});
    }
    const auto removed = directory_.remove();
    if (!removed) log::warning("a state directory is left", {{"container", record_.id}, {"error", removed.error()}});
  }

  const StateStore& store_;
  const CreateOptions& options_;
  ContainerDirectory directory_;
  ContainerRecord record_;
  std::optional<Cgroup> cgroup_;
  InitPlan plan_;
  kernel::Process init_;
  kernel::Fd messages_;
  kernel::Fd terminalSocket_;
  kernel::Fd terminal_;
};

}  // namespace

Result<CreatedContainer> createContainer(const StateStore& store, const std::string& id, const CreateOptions& options) {
  TRY(ContainerDirectory directory, store.create(id));
  return Creation(store, std::move(directory), id, options).run();
}

std::string stateJson(const ContainerRecord& record, Status status) {
  oci::State state;
  state.id = record.id;
  state.status = toString(status);
  state.pid = status == Status::Stopped ? 0 : record.init.pid;
  state.bundle = record.bundle;
  state.annotations = record.annotations;
  return oci::toJson(state);
}

std::string seccompStateJson(const ContainerRecord& record, Status status, pid_t pid, const oci::Seccomp& seccomp) {
  oci::JsonWriter json;
  json.open('{').member("ociVersion", oci::kOciVersion).member("fds", std::vector<std::string>{"seccompFd"});
  json.member("pid", pid).optional("metadata", seccomp.listenerMetadata);
  json.raw("state", stateJson(record, status)).close();
  return json.text();
}

Result<void> writePidFile(const std::string& path, pid_t pid) {
  const std::string temporary = fmt::format("{}.{}", path, ::getpid());
  {
    TRY(const kernel::Fd file, kernel::open(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0644).under("pid file"));
    TRY_VOID(kernel::writeAll(file, std::to_string(pid)).under("pid file"));
  }
  return kernel::rename(temporary, path).under("pid file");
}

}  // namespace gantry::runtime
