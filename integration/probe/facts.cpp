// What a process can learn about itself and its surroundings without changing anything.
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "probe.hpp"

extern char** environ;

namespace probe {
namespace {

std::string contents(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string linkTarget(const std::string& path) {
  char target[PATH_MAX];
  const ssize_t length = ::readlink(path.c_str(), target, sizeof target);
  return length < 0 ? "" : std::string(target, static_cast<std::size_t>(length));
}

std::vector<std::string> entries(const std::string& directory) {
  std::vector<std::string> names;
  DIR* open = ::opendir(directory.c_str());
  if (open == nullptr) return names;
  while (const dirent* entry = ::readdir(open)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  ::closedir(open);
  return names;
}

Json namespaces() {
  Json found = Json::object();
  for (const char* kind : {"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"}) {
    struct stat info{};
    const std::string path = std::string("/proc/self/ns/") + kind;
    if (::stat(path.c_str(), &info) == 0) found[kind] = info.st_ino;
  }
  return found;
}

// Descriptors other than the one this function reads the directory with.
Json descriptors() {
  Json found = Json::object();
  for (const std::string& name : entries("/proc/self/fd")) {
    const std::string target = linkTarget("/proc/self/fd/" + name);
    if (!target.empty()) found[name] = target;
  }
  return found;
}

Json rlimits() {
  static const std::pair<const char*, int> kKinds[] = {{"RLIMIT_AS", RLIMIT_AS},
                                                       {"RLIMIT_CORE", RLIMIT_CORE},
                                                       {"RLIMIT_CPU", RLIMIT_CPU},
                                                       {"RLIMIT_DATA", RLIMIT_DATA},
                                                       {"RLIMIT_FSIZE", RLIMIT_FSIZE},
                                                       {"RLIMIT_LOCKS", RLIMIT_LOCKS},
                                                       {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
                                                       {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
                                                       {"RLIMIT_NICE", RLIMIT_NICE},
                                                       {"RLIMIT_NOFILE", RLIMIT_NOFILE},
                                                       {"RLIMIT_NPROC", RLIMIT_NPROC},
                                                       {"RLIMIT_RSS", RLIMIT_RSS},
                                                       {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
                                                       {"RLIMIT_RTTIME", RLIMIT_RTTIME},
                                                       {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
                                                       {"RLIMIT_STACK", RLIMIT_STACK}};
  Json found = Json::object();
  for (const auto& [name, kind] : kKinds) {
    rlimit limit{};
    if (::getrlimit(static_cast<__rlimit_resource>(kind), &limit) == 0) found[name] = {limit.rlim_cur, limit.rlim_max};
  }
  return found;
}

Json status() {
  Json found = Json::object();
  std::istringstream lines(contents("/proc/self/status"));
  for (std::string line; std::getline(lines, line);) {
    const auto colon = line.find(":\t");
    if (colon != std::string::npos) found[line.substr(0, colon)] = line.substr(colon + 2);
  }
  return found;
}

Json environment() {
  Json found = Json::array();
  for (char** entry = environ; *entry != nullptr; ++entry) found.push_back(*entry);
  return found;
}

Json terminal() {
  Json found = Json::object();
  for (int descriptor : {0, 1, 2}) {
    winsize window{};
    if (::ioctl(descriptor, TIOCGWINSZ, &window) != 0) continue;
    found[std::to_string(descriptor)] = {{"rows", window.ws_row}, {"columns", window.ws_col}};
  }
  return found;
}

std::string kindOf(mode_t mode) {
  if (S_ISREG(mode)) return "file";
  if (S_ISDIR(mode)) return "directory";
  if (S_ISLNK(mode)) return "link";
  if (S_ISCHR(mode)) return "char";
  if (S_ISBLK(mode)) return "block";
  if (S_ISFIFO(mode)) return "fifo";
  return "socket";
}

Json lookAt(const std::string& path) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0) return {{"exists", false}, {"errno", errnoName(errno)}};
  Json found = {{"exists", true},       {"kind", kindOf(info.st_mode)}, {"mode", info.st_mode & 07777},
                {"uid", info.st_uid},   {"gid", info.st_gid},           {"size", info.st_size},
                {"inode", info.st_ino}, {"links", info.st_nlink}};
  if (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode)) {
    found["device"] = {major(info.st_rdev), minor(info.st_rdev)};
  }
  if (S_ISLNK(info.st_mode)) {
    found["target"] = linkTarget(path);
    return found;
  }
  if (S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode)) return found;

  struct statvfs fileSystem{};
  if (::statvfs(path.c_str(), &fileSystem) == 0) found["readOnlyMount"] = (fileSystem.f_flag & ST_RDONLY) != 0;
  const int flags = O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  const int file = ::open(path.c_str(), O_RDONLY | flags);
  if (file < 0) {
    found["readable"] = errnoName(errno);
  } else if (S_ISDIR(info.st_mode)) {
    found["entries"] = entries(path).size();
    found["writable"] = "yes";
    if (::mkdir((path + "/.probe").c_str(), 0700) != 0) {
      found["writable"] = errnoName(errno);
    } else {
      ::rmdir((path + "/.probe").c_str());
    }
  } else {
    char bytes[64];
    const ssize_t length = ::read(file, bytes, sizeof bytes);
    found["readable"] = length < 0 ? errnoName(errno) : "yes";
    found["bytes"] = length < 0 ? 0 : length;
    const int writer = ::open(path.c_str(), O_WRONLY | flags);
    found["writable"] = writer < 0 ? errnoName(errno) : "yes";
    if (writer >= 0) ::close(writer);
  }
  if (file >= 0) ::close(file);
  return found;
}

}  // namespace

std::string errnoName(int number) {
  const char* name = ::strerrorname_np(number);
  return name == nullptr ? std::to_string(number) : name;
}

Json outcome(long returned) {
  if (returned < 0) return {{"ok", false}, {"errno", errnoName(errno)}};
  return {{"ok", true}, {"value", returned}};
}

Json paths(const Arguments& arguments) {
  Json found = Json::object();
  for (const std::string& path : arguments) found[path] = lookAt(path);
  return found;
}

Json facts() {
  char directory[PATH_MAX] = "";
  Json cwd = nullptr;
  if (::getcwd(directory, sizeof directory) != nullptr) cwd = directory;
  gid_t groups[1024];
  const int groupCount = ::getgroups(1024, groups);
  utsname names{};
  ::uname(&names);
  const mode_t mask = ::umask(0);
  ::umask(mask);
  sched_param scheduling{};
  ::sched_getparam(0, &scheduling);
  cpu_set_t affinity;
  CPU_ZERO(&affinity);
  ::sched_getaffinity(0, sizeof affinity, &affinity);
  Json cpus = Json::array();
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &affinity)) cpus.push_back(cpu);
  }
  return {
      {"namespaces", namespaces()},
      {"status", status()},
      {"mountinfo", contents("/proc/self/mountinfo")},
      {"cgroup", contents("/proc/self/cgroup")},
      {"uid_map", contents("/proc/self/uid_map")},
      {"gid_map", contents("/proc/self/gid_map")},
      {"oom_score_adj", std::atoi(contents("/proc/self/oom_score_adj").c_str())},
      {"interfaces", entries("/sys/class/net")},
      {"env", environment()},
      {"cwd", cwd},
      {"fds", descriptors()},
      {"rlimits", rlimits()},
      {"terminal", terminal()},
      {"uid", ::getuid()},
      {"euid", ::geteuid()},
      {"gid", ::getgid()},
      {"groups", Json(std::vector<gid_t>(groups, groups + std::max(groupCount, 0)))},
      {"umask", mask},
      {"pid", ::getpid()},
      {"ppid", ::getppid()},
      {"sid", ::getsid(0)},
      {"hostname", names.nodename},
      {"domainname", names.domainname},
      {"cpus", cpus},
      {"nice", ::getpriority(PRIO_PROCESS, 0)},
      {"ioprio", ::syscall(SYS_ioprio_get, 1, 0)},
      {"scheduler", ::sched_getscheduler(0)},
      {"personality", ::personality(0xffffffff)},
  };
}

}  // namespace probe
