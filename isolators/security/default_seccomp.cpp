#include "isolators/security/default_seccomp.hpp"

#include <sched.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <cerrno>

#include <algorithm>
#include <array>

namespace gantry::isolators {
namespace {

// Words of one string: the compiler keeps it as it is, and it reads like the table it is.
constexpr std::string_view kOrdinary =
    "accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown chown32 clock_adjtime "
    "clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep "
    "clock_nanosleep_time64 close close_range connect copy_file_range creat dup dup2 dup3 epoll_create "
    "epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 "
    "execve execveat exit exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark fchdir "
    "fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr flock fork "
    "fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futex "
    "futex_requeue futex_time64 futex_wait futex_waitv futex_wake futimesat get_robust_list get_thread_area getcpu "
    "getcwd getdents getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getitimer "
    "getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid getresgid32 getresuid getresuid32 "
    "getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday getuid getuid32 getxattr getxattrat "
    "inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents "
    "io_pgetevents_time64 io_setup io_submit ioctl ioprio_get ioprio_set ipc kill landlock_add_rule "
    "landlock_create_ruleset landlock_restrict_self lchown lchown32 lgetxattr link linkat listen listmount "
    "listxattr listxattrat llistxattr _llseek lremovexattr lseek lsetxattr lstat lstat64 madvise map_shadow_stack "
    "membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap mmap2 "
    "mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend "
    "mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync munlock munlockall munmap "
    "name_to_handle_at nanosleep newfstatat _newselect open openat openat2 pause pidfd_open pidfd_send_signal pipe "
    "pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv preadv2 prlimit64 "
    "process_mrelease pselect6 pselect6_time64 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv "
    "recv recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages removexattr removexattrat rename renameat "
    "renameat2 restart_syscall riscv_hwprobe rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo "
    "rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max "
    "sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval "
    "sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield "
    "seccomp select semctl semget semop semtimedop semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg "
    "sendto set_robust_list set_thread_area set_tid_address setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 "
    "setgroups setgroups32 setitimer setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid "
    "setresuid32 setreuid setreuid32 setrlimit setsid setsockopt setuid setuid32 setxattr setxattrat shmat shmctl "
    "shmdt shmget shutdown sigaltstack signalfd signalfd4 sigprocmask sigreturn socketcall socketpair splice stat "
    "stat64 statfs statfs64 statmount statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time "
    "timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 "
    "timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times tkill truncate "
    "truncate64 ugetrlimit umask uname unlink unlinkat uretprobe utime utimensat utimensat_time64 utimes vfork "
    "vmsplice wait4 waitid waitpid write writev";

struct ByCapability {
  std::string_view capability;
  std::string_view names;
};

constexpr std::array kByCapability{
    ByCapability{"CAP_BPF", "bpf"},
    ByCapability{"CAP_DAC_READ_SEARCH", "open_by_handle_at"},
    ByCapability{"CAP_PERFMON", "perf_event_open"},
    ByCapability{"CAP_SYSLOG", "syslog"},
    ByCapability{"CAP_SYS_ADMIN",
                 "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr "
                 "lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl "
                 "quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare"},
    ByCapability{"CAP_SYS_BOOT", "reboot"},
    ByCapability{"CAP_SYS_CHROOT", "chroot"},
    ByCapability{"CAP_SYS_MODULE", "delete_module finit_module init_module"},
    ByCapability{"CAP_SYS_NICE", "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"},
    ByCapability{"CAP_SYS_PACCT", "acct"},
    ByCapability{"CAP_SYS_PTRACE", "kcmp pidfd_getfd process_madvise"},
    ByCapability{"CAP_SYS_RAWIO", "ioperm iopl"},
    ByCapability{"CAP_SYS_TIME", "clock_settime clock_settime64 settimeofday stime"},
    ByCapability{"CAP_SYS_TTY_CONFIG", "vhangup"},
};

struct ByMachine {
  std::string_view machine;
  // The machine's own first.
  std::string_view architectures;
  std::string_view names;
};

constexpr std::array kByMachine{
    ByMachine{"x86_64", "SCMP_ARCH_X86_64 SCMP_ARCH_X86 SCMP_ARCH_X32", "arch_prctl modify_ldt"},
    ByMachine{"aarch64", "SCMP_ARCH_AARCH64 SCMP_ARCH_ARM",
              "arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2"},
    ByMachine{"ppc64le", "SCMP_ARCH_PPC64LE", "swapcontext sync_file_range2"},
    ByMachine{"riscv64", "SCMP_ARCH_RISCV64", "riscv_flush_icache"},
    ByMachine{"s390x", "SCMP_ARCH_S390X SCMP_ARCH_S390", "s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr"},
};

// The execution domains that only change what a program sees of itself: Linux, 32-bit Linux, both with a uname of
// version 2.6, and the question for the current one.
constexpr std::uint64_t kLinux32 = PER_LINUX32;
constexpr std::uint64_t kUname26 = UNAME26;
constexpr std::array<std::uint64_t, 5> kPersonalities{PER_LINUX, kLinux32, kUname26, kLinux32 | kUname26, 0xFFFFFFFF};

constexpr std::uint64_t kNewNamespaces =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> all;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    all.emplace_back(word);
    text.remove_prefix(std::min(word.size() + 1, text.size()));
  }
  return all;
}

oci::SeccompSyscall allow(std::vector<std::string> names, std::vector<oci::SeccompArg> args = {}) {
  return {std::move(names), "SCMP_ACT_ALLOW", std::nullopt, std::move(args)};
}

}  // namespace

oci::Seccomp defaultSeccomp(const std::vector<std::string>& capabilities, std::string_view machine) {
  const auto has = [&](std::string_view name) {
    return std::find(capabilities.begin(), capabilities.end(), name) != capabilities.end();
  };
  oci::Seccomp profile;
  profile.defaultAction = "SCMP_ACT_ERRNO";
  profile.defaultErrnoRet = EPERM;
  std::vector<std::string> names = words(kOrdinary);
  // Safe since Linux 4.8, where ptrace no longer gets around seccomp.
  for (const char* name : {"process_vm_readv", "process_vm_writev", "ptrace"}) names.emplace_back(name);
  for (const ByMachine& one : kByMachine) {
    if (one.machine != machine) continue;
    profile.architectures = words(one.architectures);
    for (std::string& name : words(one.names)) names.push_back(std::move(name));
  }
  for (const ByCapability& one : kByCapability) {
    if (!has(one.capability)) continue;
    for (std::string& name : words(one.names)) names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  profile.syscalls.push_back(allow(std::move(names)));

  for (const std::uint64_t domain : kPersonalities) {
    profile.syscalls.push_back(allow({"personality"}, {{0, domain, 0, "SCMP_CMP_EQ"}}));
  }
  // Without AF_ALG, the kernel's cryptography, and AF_VSOCK, the way to a hypervisor.
  profile.syscalls.push_back(allow({"socket"}, {{0, AF_ALG, 0, "SCMP_CMP_LT"}}));
  profile.syscalls.push_back(allow({"socket"}, {{0, AF_ALG + 1, 0, "SCMP_CMP_EQ"}}));
  profile.syscalls.push_back(allow({"socket"}, {{0, AF_VSOCK, 0, "SCMP_CMP_GT"}}));
  if (!has("CAP_SYS_ADMIN")) {
    // A process, but no namespace. s390 has the arguments in another order.
    const std::uint32_t flags = machine == "s390x" ? 1 : 0;
    profile.syscalls.push_back(allow({"clone"}, {{flags, kNewNamespaces, 0, "SCMP_CMP_MASKED_EQ"}}));
    profile.syscalls.push_back({{"clone3"}, "SCMP_ACT_ERRNO", ENOSYS, {}});
  }
  return profile;
}

}  // namespace gantry::isolators
