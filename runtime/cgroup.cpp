#include "runtime/cgroup.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>

#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "kernel/cgroup_tree.hpp"
#include "kernel/file.hpp"
#include "runtime/cgroup_files.hpp"

namespace gantry::runtime {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kFreezePatience = std::chrono::seconds(10);
// Without a freezer a process may fork while it is looked for.
constexpr int kKillRounds = 100;

Result<void> writeGroup(const CgroupGroup& group, const std::string& file, std::string_view value) {
  return kernel::writeExistingAt(kernel::workingDirectory(), fmt::format("{}/{}", group.directory, file), value);
}

// Waits until `holds`, and looks again when `events` (a file of cgroup v2 that tells of changes by POLLPRI) changes, or
// soon. False when `patience` ran out.
Result<bool> waitUntil(const kernel::Fd& events, std::chrono::milliseconds patience,
                       const std::function<Result<bool>()>& holds) {
  const auto deadline = Clock::now() + patience;
  auto pause = std::chrono::milliseconds(1);
  while (true) {
    TRY(const bool done, holds());
    if (done) return true;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) return false;
    pollfd watched{events.raw(), POLLPRI, 0};
    ::poll(&watched, 1, static_cast<int>(std::min(pause, left).count()));
    pause = std::min(pause * 2, std::chrono::milliseconds(50));
  }
}

// Where `init` is below the container's v2 group, as this process sees it.
Result<std::string> groupOfInit(const CgroupGroup& unified, pid_t init) {
  TRY(const std::string text, kernel::readFile(fmt::format("/proc/{}/cgroup", init)));
  for (const std::string& line : splitWords(text, '\n')) {
    if (line.substr(0, 3) != "0::") continue;
    std::string directory = unified.mountPoint + line.substr(3);
    const std::string prefix = unified.directory + "/";
    if (directory == unified.directory || directory.substr(0, prefix.size()) == prefix) return directory;
  }
  return unified.directory;
}

}  // namespace

int CgroupJoin::enter() const {
  for (const kernel::Fd& tasks : tasks_) {
    if (::write(tasks.raw(), "0", 1) != 1) return errno;
  }
  return 0;
}

const CgroupGroup* Cgroup::unified() const {
  return !groups_.empty() && groups_.back().isV2() ? &groups_.back() : nullptr;
}

const CgroupGroup* Cgroup::freezer() const {
  for (const CgroupGroup& group : groups_) {
    if (contains(splitWords(group.hierarchy, ','), "freezer")) return &group;
  }
  return unified();
}

Result<CgroupJoin> Cgroup::join(pid_t init) const {
  CgroupJoin join;
  for (const CgroupGroup& group : groups_) {
    if (!group.isV2()) {
      TRY(kernel::Fd tasks, kernel::open(group.directory + "/tasks", O_WRONLY));
      join.tasks_.push_back(std::move(tasks));
      continue;
    }
    std::string directory = group.directory;
    if (init != 0 && !textOf(directory, "cgroup.subtree_control").empty()) {
      TRY(directory, groupOfInit(group, init));
    }
    TRY(join.unified_, openGroup(directory));
  }
  return join;
}

Result<void> Cgroup::update(const oci::Resources& resources) const {
  return applyResources(groups_, resources, false);
}

Result<std::vector<pid_t>> Cgroup::pids() const {
  if (groups_.empty()) return std::vector<pid_t>();
  return kernel::cgroupProcesses(groups_.back().directory);
}

Result<void> Cgroup::signal(int number) const {
  if (number == SIGKILL) return kill();
  TRY(const std::vector<pid_t> ids, pids());
  return kernel::signalProcesses(ids, number);
}

Result<void> Cgroup::kill() const {
  // A process frozen by v1 dies when it is thawed.
  if (const CgroupGroup* const group = unified()) {
    TRY(const bool killed, kernel::killCgroup(group->directory));
    if (killed) return thaw();
  }
  const bool frozen = freeze().has_value();
  for (int round = 0; round < kKillRounds; ++round) {
    TRY(const std::vector<pid_t> ids, pids());
    if (ids.empty()) break;
    TRY_VOID(kernel::signalProcesses(ids, SIGKILL));
    if (frozen) break;
  }
  return thaw();
}

Result<void> Cgroup::freeze() const {
  const CgroupGroup* const group = freezer();
  if (group == nullptr) return Error(Code::Unsupported, "freeze: no cgroup hierarchy has a freezer");
  kernel::Fd events;
  if (group->isV2()) {
    TRY_VOID(writeGroup(*group, "cgroup.freeze", "1"));
    TRY(events, kernel::open(group->directory + "/cgroup.events", O_RDONLY));
  }
  TRY(const bool frozen, waitUntil(events, kFreezePatience, [&]() -> Result<bool> {
        // v1: a process that was forked meanwhile is frozen by writing again (freezer-subsystem.rst).
        if (!group->isV2()) TRY_VOID(writeGroup(*group, "freezer.state", "FROZEN"));
        return hasStopped(*group);
      }));
  if (frozen) return {};
  TRY_VOID(thaw());
  return Error(Code::Timeout, fmt::format("freeze '{}': a process did not stop", group->directory));
}

Result<void> Cgroup::thaw() const {
  const CgroupGroup* const group = freezer();
  if (group == nullptr) return {};
  const auto thawed =
      group->isV2() ? writeGroup(*group, "cgroup.freeze", "0") : writeGroup(*group, "freezer.state", "THAWED");
  if (!thawed && !kernel::isGoneCgroup(thawed.error())) return thawed.error();
  return {};
}

Result<bool> Cgroup::hasStopped(const CgroupGroup& freezer) {
  TRY(const kernel::Fd directory, openGroup(freezer.directory));
  if (!freezer.isV2()) {
    TRY(const std::string state, kernel::readCgroupText(directory, "freezer.state"));
    return state == "FROZEN";
  }
  TRY(const kernel::CgroupKeys events, kernel::readCgroupKeys(directory, "cgroup.events"));
  const auto frozen = events.find("frozen");
  return frozen != events.end() && frozen->second == 1;
}

Result<bool> Cgroup::isFrozen() const {
  const CgroupGroup* const group = freezer();
  if (group == nullptr) return false;
  TRY(const kernel::Fd directory, openGroup(group->directory));
  TRY(const std::string state, kernel::readCgroupText(directory, group->isV2() ? "cgroup.freeze" : "freezer.state"));
  if (!group->isV2()) return state != "THAWED";
  return state == "1" ? Result<bool>(true) : hasStopped(*group);
}

Result<void> Cgroup::remove(std::chrono::milliseconds patience) const {
  // The v2 group first: it says when its last process has left.
  for (auto group = groups_.rbegin(); group != groups_.rend(); ++group) {
    TRY(bool removed, kernel::removeCgroup(group->directory));
    if (removed) continue;
    kernel::Fd events;
    if (group->isV2()) {
      auto opened = kernel::open(group->directory + "/cgroup.events", O_RDONLY);
      if (opened) events = *std::move(opened);
    }
    TRY(removed, waitUntil(events, patience, [&] { return kernel::removeCgroup(group->directory); }));
    if (!removed) {
      return Error(Code::Busy, fmt::format("remove cgroup '{}': it still holds processes", group->directory));
    }
  }
  return {};
}

}  // namespace gantry::runtime
