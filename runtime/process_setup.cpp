#include "runtime/process_setup.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cctype>
#include <cerrno>
#include <cstring>

#include <algorithm>
#include <charconv>
#include <string_view>

#include <fmt/format.h>

#include "kernel/argv.hpp"
#include "kernel/credentials.hpp"
#include "kernel/file.hpp"

namespace gantry::runtime {
namespace {

constexpr std::string_view kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
// Beyond this a passwd file is not worth a HOME (CVE-2026-47262 is about reading such files whole).
constexpr std::size_t kMaxPasswdSize = 1U << 20U;

kernel::CapabilitySet toSet(const std::vector<std::string>& names, kernel::CapabilitySet available,
                            std::vector<std::string>& missing) {
  kernel::CapabilitySet set = 0;
  for (const std::string& name : names) {
    const auto number = kernel::capabilityNumber(name);
    const kernel::CapabilitySet bit = number ? kernel::CapabilitySet{1} << *number : 0;
    if ((bit & available) != 0) {
      set |= bit;
    } else if (std::find(missing.begin(), missing.end(), name) == missing.end()) {
      missing.push_back(name);
    }
  }
  return set;
}

// "no such file or directory": as Go programs, among them Docker, expect it.
std::string goErrnoText(int number) {
  std::string text = std::strerror(number);
  if (!text.empty()) text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

Error execError(const std::string& name, int number) {
  // Error::fromErrno would add the C library's capitalised text.
  return Error(codeFromErrno(number), fmt::format("\"{}\": {}", name, goErrnoText(number)));
}

std::string_view valueOf(const std::vector<std::string>& environment, std::string_view name) {
  for (auto entry = environment.rbegin(); entry != environment.rend(); ++entry) {
    if (entry->size() > name.size() && entry->starts_with(name) && (*entry)[name.size()] == '=') {
      return std::string_view(*entry).substr(name.size() + 1);
    }
  }
  return {};
}

// 0, or why it cannot be executed.
int checkExecutable(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return errno;
  if (S_ISDIR(status.st_mode)) return EISDIR;
  return ::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

// The sixth field of the line whose third is `uid`; lines are "name:password:uid:gid:comment:home:shell".
std::string homeFromPasswd(std::string_view passwd, std::uint32_t uid) {
  while (!passwd.empty()) {
    const auto end = passwd.find('\n');
    std::string_view line = passwd.substr(0, end);
    passwd = end == std::string_view::npos ? std::string_view() : passwd.substr(end + 1);
    std::string_view fields[6];
    std::size_t count = 0;
    for (; count < 6; ++count) {
      const auto colon = line.find(':');
      fields[count] = line.substr(0, colon);
      if (colon == std::string_view::npos) break;
      line = line.substr(colon + 1);
    }
    std::uint32_t found = 0;
    const auto [last, code] = std::from_chars(fields[2].data(), fields[2].data() + fields[2].size(), found);
    const bool isNumber = !fields[2].empty() && code == std::errc() && last == fields[2].data() + fields[2].size();
    if (count >= 5 && isNumber && found == uid) return std::string(fields[5]);
  }
  return {};
}

std::string lookUpHome(std::uint32_t uid) {
  // The image decides what this is: only a regular file is read, and opening a fifo must not wait.
  const auto file = kernel::open("/etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!file) return {};
  const auto status = kernel::statAt(*file, "", AT_EMPTY_PATH);
  if (!status || !S_ISREG(status->st_mode) || static_cast<std::size_t>(status->st_size) > kMaxPasswdSize) return {};
  const auto text = kernel::readAll(*file, kMaxPasswdSize);
  return text ? homeFromPasswd(*text, uid) : std::string();
}

}  // namespace

GrantedCapabilities grantCapabilities(const std::optional<oci::Capabilities>& wanted, kernel::CapabilitySet available) {
  GrantedCapabilities granted;
  if (!wanted) return granted;
  granted.bounding = toSet(wanted->bounding, available, granted.missing);
  granted.permitted = toSet(wanted->permitted, available, granted.missing);
  granted.inheritable = toSet(wanted->inheritable, available, granted.missing);
  // The kernel wants effective within permitted, and ambient within permitted and inheritable.
  granted.effective = toSet(wanted->effective, available, granted.missing) & granted.permitted;
  granted.ambient = toSet(wanted->ambient, available, granted.missing) & granted.permitted & granted.inheritable;
  return granted;
}

Result<void> setLimits(const oci::Process& process) {
  if (process.scheduler) {
    const oci::Scheduler& wanted = *process.scheduler;
    kernel::Scheduling scheduling{wanted.policy, wanted.nice,    static_cast<std::uint32_t>(wanted.priority),
                                  wanted.flags,  wanted.runtime, wanted.deadline,
                                  wanted.period};
    TRY_VOID(kernel::setScheduling(scheduling).under("process.scheduler"));
  }
  if (process.ioPriority) {
    TRY_VOID(
        kernel::setIoPriority(process.ioPriority->ioClass, process.ioPriority->priority).under("process.ioPriority"));
  }
  for (std::size_t index = 0; index < process.rlimits.size(); ++index) {
    const oci::Rlimit& limit = process.rlimits[index];
    TRY_VOID(kernel::setRlimit(limit.type, limit.soft, limit.hard).under(fmt::format("process.rlimits[{}]", index)));
  }
  return {};
}

Result<void> setSecurityLabels(const kernel::Fd& proc, const oci::Process& process) {
  if (!process.apparmorProfile.empty()) {
    TRY_VOID(kernel::writeExistingAt(proc, "self/attr/apparmor/exec", fmt::format("exec {}", process.apparmorProfile))
                 .under("process.apparmorProfile"));
  }
  if (!process.selinuxLabel.empty()) {
    TRY_VOID(kernel::writeExistingAt(proc, "self/attr/exec", process.selinuxLabel).under("process.selinuxLabel"));
  }
  return {};
}

bool mayDropGroups(const kernel::Fd& proc, const std::string& pid) {
  const auto word = kernel::readFileAt(proc, pid + "/setgroups");
  return !word || *word != "deny\n";
}

Result<void> becomeProcessUser(const oci::Process& process, const GrantedCapabilities& capabilities, bool mayDropGroups,
                               bool keepAdmin) {
  TRY_VOID(kernel::limitBoundingCapabilities(capabilities.bounding));
  const std::vector<gid_t> groups(process.user.additionalGids.begin(), process.user.additionalGids.end());
  TRY_VOID(mayDropGroups ? kernel::becomeUser(process.user.uid, process.user.gid, groups)
                         : kernel::becomeUserKeepingGroups(process.user.uid, process.user.gid));
  ::umask(process.user.umask.value_or(022));
  const kernel::CapabilitySet kept = keepAdmin ? kernel::CapabilitySet{1} << CAP_SYS_ADMIN : 0;
  TRY_VOID(kernel::setCapabilities(
      {capabilities.effective | kept, capabilities.permitted | kept, capabilities.inheritable}));
  return kernel::setAmbientCapabilities(capabilities.ambient);
}

Result<void> dropAdmin(const GrantedCapabilities& capabilities) {
  return kernel::setCapabilities({capabilities.effective, capabilities.permitted, capabilities.inheritable});
}

Result<void> enterWorkingDirectory(const std::string& cwd) {
  if (::chdir(cwd.c_str()) != 0) return Error::fromErrno(errno, fmt::format("chdir to '{}'", cwd));
  char buffer[4096];
  // Outside the root getcwd gives "(unreachable)/…" or fails, instead of an absolute path.
  if (::getcwd(buffer, sizeof buffer) == nullptr || buffer[0] != '/') {
    return Error(Code::PermissionDenied, fmt::format("'{}' is outside of the container's root", cwd));
  }
  return {};
}

std::vector<std::string> completeEnvironment(const oci::Process& process) {
  std::vector<std::string> environment = process.env;
  if (valueOf(environment, "HOME").empty()) {
    const std::string home = lookUpHome(process.user.uid);
    std::erase_if(environment, [](const std::string& entry) { return entry == "HOME="; });
    environment.push_back(fmt::format("HOME={}", home.empty() ? "/" : home));
  }
  return environment;
}

Result<std::string> findExecutable(const std::string& name, const std::vector<std::string>& environment) {
  if (name.find('/') != std::string::npos) {
    const int failure = checkExecutable(name);
    if (failure == ENOENT || failure == ENOTDIR) {
      return Error(codeFromErrno(failure), fmt::format("\"{}\": stat {}: {}", name, name, goErrnoText(failure)));
    }
    if (failure != 0) return execError(name, failure);
    return name;
  }
  std::string_view path = valueOf(environment, "PATH");
  if (path.empty()) path = kDefaultPath;
  int denied = 0;
  while (!name.empty() && !path.empty()) {
    const auto colon = path.find(':');
    const std::string_view directory = path.substr(0, colon);
    path = colon == std::string_view::npos ? std::string_view() : path.substr(colon + 1);
    std::string candidate = fmt::format("{}/{}", directory.empty() ? "." : directory, name);
    const int failure = checkExecutable(candidate);
    if (failure == 0) return candidate;
    if (failure == EACCES && denied == 0) denied = failure;
  }
  if (denied != 0) return execError(name, denied);
  return Error(Code::NotFound, fmt::format("\"{}\": executable file not found in $PATH", name));
}

Error execute(const std::string& path, const std::vector<std::string>& arguments,
              const std::vector<std::string>& environment) {
  const std::vector<char*> argv = kernel::toArgv(arguments);
  const std::vector<char*> envp = kernel::toArgv(environment);
  ::execve(path.c_str(), argv.data(), envp.data());
  return execError(path, errno);
}

}  // namespace gantry::runtime
