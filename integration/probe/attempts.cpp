// Things that a container may be forbidden to do, each tried once, the kernel's answer reported.
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/reboot.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "probe.hpp"

namespace probe {
namespace {

const std::map<std::string, long> kSystemCalls = {
    {"getcwd", SYS_getcwd},
    {"getpid", SYS_getpid},
    {"mkdir", SYS_mkdir},
    {"chmod", SYS_chmod},
    {"personality", SYS_personality},
    {"keyctl", SYS_keyctl},
    {"unshare", SYS_unshare},
    {"setns", SYS_setns},
    {"mount", SYS_mount},
    {"umount2", SYS_umount2},
    {"bpf", SYS_bpf},
    {"ptrace", SYS_ptrace},
    {"io_uring_setup", SYS_io_uring_setup},
    {"userfaultfd", SYS_userfaultfd},
    {"perf_event_open", SYS_perf_event_open},
    {"open_by_handle_at", SYS_open_by_handle_at},
    {"clone3", SYS_clone3},
    {"socket", SYS_socket},
    {"getppid", SYS_getppid},
    {"kcmp", SYS_kcmp},
    {"add_key", SYS_add_key},
    {"request_key", SYS_request_key},
    {"swapoff", SYS_swapoff},
    {"init_module", SYS_init_module},
    {"acct", SYS_acct},
    {"settimeofday", SYS_settimeofday},
    {"sethostname", SYS_sethostname},
};

// Runs `attempt` in a child, so that what it changes about its process does not change ours.
Json inChild(const std::function<long()>& attempt) {
  int answer[2];
  if (::pipe2(answer, O_CLOEXEC) != 0) return outcome(-1);
  const pid_t child = ::fork();
  if (child == 0) {
    const long returned = attempt();
    const std::array<long, 2> words = {returned, errno};
    const bool told = ::write(answer[1], words.data(), sizeof words) == sizeof words;
    ::_exit(told ? 0 : 1);
  }
  ::close(answer[1]);
  std::array<long, 2> words = {-1, ECHILD};
  const bool heard = ::read(answer[0], words.data(), sizeof words) == sizeof words;
  ::close(answer[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!heard && WIFSIGNALED(status)) return {{"ok", false}, {"signal", WTERMSIG(status)}};
  errno = static_cast<int>(words[1]);
  return outcome(words[0]);
}

long rawSocket() {
  return ::socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}

long bindTo(std::uint16_t port) {
  const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (server < 0) return -1;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  return ::bind(server, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

long setClock() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return ::clock_settime(CLOCK_REALTIME, &now);
}

long mountTmpfs() {
  const long returned = ::mount("none", "/tmp", "tmpfs", 0, nullptr);
  if (returned == 0) ::umount2("/tmp", MNT_DETACH);
  return returned;
}

long chownRoot() {
  const int file = ::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  return file < 0 ? -1 : ::fchown(file, 12345, 12345);
}

// Every entry says which capability or default rule it stands for.
const std::map<std::string, std::function<long()>> kAttempts = {
    {"mount", mountTmpfs},
    {"remount_proc_rw", [] { return ::mount(nullptr, "/proc/sys", nullptr, MS_REMOUNT | MS_BIND, nullptr); }},
    {"umount_masked", [] { return ::umount2("/proc/kcore", MNT_DETACH); }},
    {"mount_cgroup", [] { return ::mount("cgroup", "/tmp", "cgroup", 0, "memory"); }},
    {"sethostname", [] { return ::sethostname("probe", 5); }},
    {"chroot", [] { return ::chroot("/"); }},
    {"chown", chownRoot},
    {"setuid", [] { return ::setuid(12345); }},
    {"setgid", [] { return ::setgid(12345); }},
    {"raw_socket", rawSocket},
    {"packet_socket", [] { return ::socket(AF_PACKET, SOCK_RAW, 0); }},
    {"bind_low_port", [] { return bindTo(81); }},
    {"set_clock", setClock},
    {"mknod_device", [] { return ::mknod("/tmp/.probe-device", S_IFCHR | 0600, makedev(1, 3)); }},
    {"ptrace_init", [] { return ::ptrace(PTRACE_SEIZE, 1, nullptr, nullptr); }},
    {"new_user_namespace", [] { return ::unshare(CLONE_NEWUSER); }},
    {"new_mount_namespace", [] { return ::unshare(CLONE_NEWNS); }},
    {"keyctl", [] { return ::syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0); }},
    {"bpf", [] { return ::syscall(SYS_bpf, BPF_PROG_GET_NEXT_ID, nullptr, 0); }},
    {"nice_down", [] { return ::setpriority(PRIO_PROCESS, 0, -10); }},
    {"init_module", [] { return ::syscall(SYS_init_module, nullptr, 0, ""); }},
    {"swapoff", [] { return ::swapoff("/nowhere"); }},
    {"reboot_disabled", [] { return ::syscall(SYS_reboot, 0, 0, 0, nullptr); }},
};

}  // namespace

Json attempts(const Arguments& arguments) {
  Json found = Json::object();
  for (const auto& [name, attempt] : kAttempts) {
    if (!arguments.empty() && std::find(arguments.begin(), arguments.end(), name) == arguments.end()) continue;
    found[name] = inChild(attempt);
  }
  ::unlink("/tmp/.probe-device");
  return found;
}

Json openPaths(const Arguments& arguments) {
  if (arguments.empty()) return nullptr;
  const std::string& letters = arguments[0];
  const auto has = [&](char letter) { return letters.find(letter) != std::string::npos; };
  int flags = O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  flags |= has('r') && has('w') ? O_RDWR : has('w') ? O_WRONLY : O_RDONLY;
  if (has('c')) flags |= O_CREAT;
  Json found = Json::object();
  for (std::size_t index = 1; index < arguments.size(); ++index) {
    const int file = ::open(arguments[index].c_str(), flags, 0600);
    found[arguments[index]] = outcome(file);
    if (file >= 0) ::close(file);
  }
  return found;
}

Json writeFile(const Arguments& arguments) {
  if (arguments.size() != 2) return nullptr;
  const int file = ::open(arguments[0].c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return outcome(-1);
  const Json result = outcome(::write(file, arguments[1].data(), arguments[1].size()));
  ::close(file);
  return result;
}

Json makeDevice(const Arguments& arguments) {
  if (arguments.size() != 4) return nullptr;
  const mode_t kind = arguments[1] == "b" ? S_IFBLK : S_IFCHR;
  const auto number = [&](std::size_t index) { return static_cast<unsigned>(std::atoi(arguments[index].c_str())); };
  return outcome(::mknod(arguments[0].c_str(), kind | 0600, makedev(number(2), number(3))));
}

Json systemCall(const Arguments& arguments) {
  if (arguments.empty()) return nullptr;
  const auto found = kSystemCalls.find(arguments[0]);
  const long number = found != kSystemCalls.end() ? found->second : std::atol(arguments[0].c_str());
  std::array<long, 6> values{};
  for (std::size_t index = 1; index < arguments.size() && index <= values.size(); ++index) {
    values[index - 1] = std::strtol(arguments[index].c_str(), nullptr, 0);
  }
  return inChild([&] { return ::syscall(number, values[0], values[1], values[2], values[3], values[4], values[5]); });
}

}  // namespace probe
