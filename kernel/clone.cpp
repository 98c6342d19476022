#include "kernel/clone.hpp"

#include <linux/sched.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>

#include <array>

namespace gantry::kernel {
namespace {

struct NamespaceKind {
  std::string_view type;
  std::string_view file;
  std::uint64_t flag;
};

constexpr std::array<NamespaceKind, 8> kKinds{{
    {"user", "user", CLONE_NEWUSER},
    {"pid", "pid", CLONE_NEWPID},
    {"network", "net", CLONE_NEWNET},
    {"mount", "mnt", CLONE_NEWNS},
    {"ipc", "ipc", CLONE_NEWIPC},
    {"uts", "uts", CLONE_NEWUTS},
    {"cgroup", "cgroup", CLONE_NEWCGROUP},
    {"time", "time", CLONE_NEWTIME},
}};

}  // namespace

std::uint64_t namespaceFlag(std::string_view type) {
  for (const NamespaceKind& kind : kKinds) {
    if (kind.type == type) return kind.flag;
  }
  return 0;
}

std::string namespaceFile(std::string_view type) {
  for (const NamespaceKind& kind : kKinds) {
    if (kind.type == type) return std::string(kind.file);
  }
  return {};
}

Result<Process> cloneProcess(std::uint64_t flags, const Fd& intoCgroup) {
  int pidfd = -1;
  clone_args arguments{};
  arguments.flags = flags | CLONE_PIDFD;
  arguments.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
  // The new sibling that CLONE_PARENT makes tells its death as we would; a signal of its own is not allowed.
  arguments.exit_signal = (flags & CLONE_PARENT) != 0 ? 0 : SIGCHLD;
  if (intoCgroup) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<std::uint64_t>(intoCgroup.raw());
  }
  const long pid = ::syscall(SYS_clone3, &arguments, sizeof arguments);
  if (pid < 0) return Error::fromErrno(errno, "clone");
  if (pid == 0) return Process();
  return Process(static_cast<pid_t>(pid), Fd(pidfd));
}

Result<void> joinNamespaces(const Fd& descriptor, std::uint64_t flags) {
  if (::setns(descriptor.raw(), static_cast<int>(flags)) != 0) return Error::fromErrno(errno, "setns");
  return {};
}

Result<void> unshare(std::uint64_t flags) {
  if (::unshare(static_cast<int>(flags)) != 0) return Error::fromErrno(errno, "unshare");
  return {};
}

}  // namespace gantry::kernel
