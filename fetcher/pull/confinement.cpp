#include "fetcher/pull/confinement.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mount.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <initializer_list>
#include <memory>

#include "kernel/capability.hpp"
#include "kernel/clone.hpp"
#include "kernel/credentials.hpp"
#include "kernel/file.hpp"
#include "kernel/mount.hpp"
#include "kernel/node.hpp"

namespace gantry::fetcher {
namespace {

constexpr uid_t kNobody = 65534;

// System calls neither half has a use for and that have been the way out of a sandbox before. They fail with EPERM.
constexpr std::array kNeverNeeded = {
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(open_tree),
    SCMP_SYS(move_mount),
    SCMP_SYS(fsopen),
    SCMP_SYS(fsconfig),
    SCMP_SYS(fsmount),
    SCMP_SYS(fspick),
    SCMP_SYS(mount_setattr),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(kcmp),
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(reboot),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(acct),
    SCMP_SYS(quotactl),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(keyctl),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(io_uring_enter),
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime),
    SCMP_SYS(sethostname),
    SCMP_SYS(syslog),
    SCMP_SYS(vhangup),
    // Other processes of the same user, among them the agent.
    SCMP_SYS(kill),
    SCMP_SYS(tkill),
    SCMP_SYS(rt_sigqueueinfo),
    SCMP_SYS(rt_tgsigqueueinfo),
    SCMP_SYS(pidfd_open),
    SCMP_SYS(pidfd_send_signal),
};

struct FreeFilter {
  void operator()(void* filter) const { seccomp_release(filter); }
};

// Also sets no_new_privs.
Result<void> refuseSystemCalls(std::initializer_list<int> more) {
  const std::unique_ptr<void, FreeFilter> filter(seccomp_init(SCMP_ACT_ALLOW));
  ENSURE(filter != nullptr, "libseccomp cannot be set up");
  for (const int call : kNeverNeeded) {
    // Negative numbers are calls that this architecture does not have.
    if (call >= 0) seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), call, 0);
  }
  for (const int call : more) {
    if (call >= 0) seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), call, 0);
  }
  // abort() signals its own process by this one.
  seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), SCMP_SYS(tgkill), 1,
                   SCMP_A0(SCMP_CMP_NE, static_cast<scmp_datum_t>(::getpid())));
  const int failed = seccomp_load(filter.get());
  if (failed != 0) return Error::fromErrno(-failed, "load the seccomp filter");
  return {};
}

Result<void> keepCapabilities(kernel::CapabilitySet wanted) {
  TRY(const auto held, kernel::capabilities());
  const kernel::CapabilitySet keep = held.permitted & wanted;
  TRY_VOID(kernel::limitBoundingCapabilities(keep));
  return kernel::setCapabilities({.effective = keep, .permitted = keep, .inheritable = 0});
}

// The signal is lost when the credentials change, so this comes last; and it is too late when the parent is gone.
Result<void> endWithParent(pid_t parent) {
  TRY_VOID(kernel::setParentDeathSignal(SIGKILL));
  if (::getppid() != parent) return Error(Code::Cancelled, "the fetcher has ended");
  return {};
}

constexpr kernel::CapabilitySet bit(unsigned capability) {
  return kernel::CapabilitySet{1} << capability;
}

// Without capabilities and the means to gain any. From here on nothing but the user's rights.
Result<void> become(const UriUser& user) {
  TRY_VOID(kernel::limitBoundingCapabilities(0));
  TRY_VOID(kernel::becomeUser(user.uid, user.gid, user.groups));
  TRY_VOID(kernel::setCapabilities({}));
  return kernel::setUndumpable();
}

// Leaves everything but `directory`, which becomes the root and the working directory. Returns it, opened.
Result<kernel::Fd> moveInto(const kernel::Fd& directory) {
  // `directory` belongs to the namespace we leave: its mount is taken before, and attached (to any place) afterwards.
  TRY(const kernel::Fd root, kernel::openTree(directory, "", OPEN_TREE_CLONE | AT_EMPTY_PATH));
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
  TRY_VOID(kernel::setMountAttributes(root, attributes));
  TRY_VOID(kernel::unshare(CLONE_NEWNS));
  TRY_VOID(kernel::mount("", "/", "", MS_REC | MS_PRIVATE, ""));
  TRY(const kernel::Fd place, kernel::open("/", O_PATH | O_DIRECTORY));
  TRY_VOID(kernel::attachMount(root, place));
  TRY_VOID(kernel::changeWorkingDirectory(root));
  TRY_VOID(kernel::pivotIntoWorkingDirectory());
  TRY_VOID(kernel::unmount(".", MNT_DETACH));
  TRY(kernel::Fd opened, kernel::open("/", O_RDONLY | O_DIRECTORY));
  TRY_VOID(kernel::changeWorkingDirectory(opened));
  return opened;
}

}  // namespace

Result<void> becomeNobody() {
  const pid_t parent = ::getppid();
  TRY_VOID(become({.uid = kNobody, .gid = kNobody, .groups = {}}));
  TRY_VOID(refuseSystemCalls({}));
  return endWithParent(parent);
}

Result<void> becomeUserAlone(const UriUser& user) {
  const pid_t parent = ::getppid();
  TRY_VOID(become(user));
  return endWithParent(parent);
}

Result<kernel::Fd> lockInto(const kernel::Fd& directory) {
  const pid_t parent = ::getppid();
  TRY(kernel::Fd opened, moveInto(directory));
  // trusted.* attributes, with which opaque directories are marked, take CAP_SYS_ADMIN.
  TRY_VOID(keepCapabilities(bit(CAP_CHOWN) | bit(CAP_DAC_OVERRIDE) | bit(CAP_FOWNER) | bit(CAP_FSETID) |
                            bit(CAP_MKNOD) | bit(CAP_SETFCAP) | bit(CAP_SYS_ADMIN)));
  TRY_VOID(kernel::setUndumpable());
  TRY_VOID(refuseSystemCalls({SCMP_SYS(socket), SCMP_SYS(connect), SCMP_SYS(bind)}));
  TRY_VOID(endWithParent(parent));
  return opened;
}

Result<kernel::Fd> lockIntoAs(const UriUser& user, const kernel::Fd& directory) {
  const pid_t parent = ::getppid();
  TRY(kernel::Fd opened, moveInto(directory));
  TRY_VOID(become(user));
  TRY_VOID(refuseSystemCalls({SCMP_SYS(socket), SCMP_SYS(connect), SCMP_SYS(bind)}));
  TRY_VOID(endWithParent(parent));
  return opened;
}

}  // namespace gantry::fetcher
