#include "kernel/cgroup_tree.hpp"

#include <fcntl.h>
#include <cerrno>

#include <algorithm>

#include <fmt/format.h>

#include "kernel/cgroup.hpp"
#include "kernel/file.hpp"
#include "kernel/process.hpp"

namespace gantry::kernel {

bool isGoneCgroup(const Error& error) {
  return error.code() == Code::NotFound || error.number() == ENODEV;
}

Result<void> eachCgroup(const std::string& directory, const std::function<Result<void>(const std::string&)>& visit) {
  const auto names = listDirectory(directory);
  if (!names) return isGoneCgroup(names.error()) ? Result<void>() : names.error();
  for (const std::string& name : *names) {
    const std::string child = fmt::format("{}/{}", directory, name);
    const auto status = statAt(workingDirectory(), child, AT_SYMLINK_NOFOLLOW);
    if (status && S_ISDIR(status->st_mode)) TRY_VOID(eachCgroup(child, visit));
  }
  return visit(directory);
}

Result<std::vector<pid_t>> cgroupProcesses(const std::string& directory) {
  std::vector<pid_t> all;
  TRY_VOID(eachCgroup(directory, [&](const std::string& one) -> Result<void> {
    const auto group = open(one, O_PATH | O_DIRECTORY);
    if (!group) return isGoneCgroup(group.error()) ? Result<void>() : group.error();
    const auto ids = readCgroupIds(*group);
    if (ids) {
      all.insert(all.end(), ids->begin(), ids->end());
      return {};
    }
    // EOPNOTSUPP: a threaded group of v2; its processes are listed in the one above.
    return isGoneCgroup(ids.error()) || ids.error().number() == EOPNOTSUPP ? Result<void>() : ids.error();
  }));
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

Result<void> signalProcesses(const std::vector<pid_t>& pids, int number) {
  for (const pid_t pid : pids) {
    const auto process = Process::open(pid);
    const auto sent = process ? process->signal(number) : Result<void>(process.error());
    if (!sent && sent.error().code() != Code::NotFound)
      return sent.error().under(fmt::format("signal process {}", pid));
  }
  return {};
}

Result<bool> killCgroup(const std::string& directory) {
  const auto killed = writeExistingAt(workingDirectory(), directory + "/cgroup.kill", "1");
  if (killed) return true;
  if (isGoneCgroup(killed.error())) return false;
  return killed.error();
}

Result<bool> removeCgroup(const std::string& directory) {
  // Most groups have none below them.
  const auto removed = unlinkAt(workingDirectory(), directory, AT_REMOVEDIR);
  if (removed || isGoneCgroup(removed.error())) return true;
  if (removed.error().number() != EBUSY) return removed.error();
  bool busy = false;
  TRY_VOID(eachCgroup(directory, [&](const std::string& one) -> Result<void> {
    const auto gone = unlinkAt(workingDirectory(), one, AT_REMOVEDIR);
    if (gone || isGoneCgroup(gone.error())) return {};
    if (gone.error().number() != EBUSY) return gone.error();
    busy = true;
    return {};
  }));
  return !busy;
}

}  // namespace gantry::kernel
