#include "kernel/cgroup.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <cerrno>

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "kernel/file.hpp"
#include "kernel/mount_info.hpp"

namespace gantry::kernel {
namespace {

// Takes the text before the next `separator` off `text`.
std::string_view take(std::string_view& text, char separator) {
  const auto end = std::min(text.find(separator), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::string_view part = take(text, separator);
    if (!part.empty()) parts.emplace_back(part);
  }
  return parts;
}

bool isMountOf(const MountEntry& mount, std::string_view name) {
  if (name.empty()) return mount.type == "cgroup2";
  if (mount.type != "cgroup") return false;
  // Of a v1 mount: its controllers or "name=…", among other options.
  const std::vector<std::string> options = split(mount.superOptions, ',');
  const std::vector<std::string> wanted = split(name, ',');
  return std::all_of(wanted.begin(), wanted.end(), [&](const std::string& option) {
    return std::find(options.begin(), options.end(), option) != options.end();
  });
}

// Where our own group `path` is below a mount whose root is `root`; nothing when it is not below.
std::optional<std::string> below(std::string_view root, std::string_view path) {
  if (root == "/") return path == "/" ? "" : std::string(path);
  if (path == root) return "";
  if (path.substr(0, root.size()) == root && path[root.size()] == '/') return std::string(path.substr(root.size()));
  return std::nullopt;
}

std::optional<CgroupHierarchy> locate(std::string_view name, std::string_view path,
                                      const std::vector<MountEntry>& mounts) {
  std::optional<CgroupHierarchy> found;
  for (const MountEntry& mount : mounts) {
    if (!isMountOf(mount, name)) continue;
    const auto self = below(mount.root, path);
    if (found && !self) continue;
    found = CgroupHierarchy{std::string(name), {}, mount.mountPoint, self.value_or("")};
    if (self) break;
  }
  return found;
}

template <typename Number>
bool parseNumber(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

bool CgroupHierarchy::has(std::string_view controller) const {
  return std::find(controllers.begin(), controllers.end(), controller) != controllers.end();
}

std::string_view toString(CgroupMode mode) {
  switch (mode) {
    case CgroupMode::V1:
      return "v1";
    case CgroupMode::Hybrid:
      return "hybrid";
    case CgroupMode::V2:
      return "v2";
  }
  return "unknown";
}

Result<CgroupLayout> CgroupLayout::detect() {
  TRY(const std::string mountInfo, readFile("/proc/self/mountinfo"));
  TRY(const std::string own, readFile("/proc/self/cgroup"));
  return parse(mountInfo, own,
               [](const std::string& mountPoint) { return readFile(mountPoint + "/cgroup.controllers").value_or(""); });
}

Result<CgroupLayout> CgroupLayout::parse(std::string_view mountInfo, std::string_view procSelfCgroup,
                                         const std::function<std::string(const std::string&)>& readControllers) {
  TRY(const std::vector<MountEntry> mounts, parseMountInfo(mountInfo));
  CgroupLayout layout;
  std::optional<CgroupHierarchy> unified;
  while (!procSelfCgroup.empty()) {
    std::string_view line = take(procSelfCgroup, '\n');
    take(line, ':');
    const std::string_view name = take(line, ':');
    auto hierarchy = locate(name, line, mounts);
    if (!hierarchy) continue;
    if (hierarchy->isV2()) {
      const std::string controllers = readControllers(hierarchy->mountPoint);
      hierarchy->controllers = split(std::string_view(controllers).substr(0, controllers.find('\n')), ' ');
      unified = std::move(hierarchy);
      continue;
    }
    if (name.substr(0, 5) != "name=") hierarchy->controllers = split(name, ',');
    layout.hierarchies.push_back(std::move(*hierarchy));
  }
  if (unified) layout.hierarchies.push_back(std::move(*unified));
  if (layout.hierarchies.empty()) return Error(Code::NotFound, "no cgroup hierarchy is mounted");
  return layout;
}

CgroupMode CgroupLayout::mode() const {
  if (unified() == nullptr) return CgroupMode::V1;
  return hierarchies.size() == 1 ? CgroupMode::V2 : CgroupMode::Hybrid;
}

const CgroupHierarchy* CgroupLayout::find(std::string_view controller) const {
  for (const CgroupHierarchy& hierarchy : hierarchies) {
    if (hierarchy.has(controller)) return &hierarchy;
  }
  return nullptr;
}

const CgroupHierarchy* CgroupLayout::unified() const {
  return !hierarchies.empty() && hierarchies.back().isV2() ? &hierarchies.back() : nullptr;
}

Result<std::string> readCgroupText(const Fd& group, const std::string& file) {
  auto text = readFileAt(group, file);
  // Reading a file of a group that was removed meanwhile.
  if (!text && text.error().number() == ENODEV) return Error(Code::NotFound, text.error().message());
  if (text && !text->empty() && text->back() == '\n') text->pop_back();
  return text;
}

Result<std::uint64_t> readCgroupNumber(const Fd& group, const std::string& file) {
  TRY(const std::string text, readCgroupText(group, file));
  if (text == "max") return kCgroupMax;
  std::uint64_t number = 0;
  if (!parseNumber(text, number)) {
    return Error(Code::Internal, fmt::format("read '{}': '{}' is not a number", file, text));
  }
  return number;
}

CgroupKeys parseCgroupKeys(std::string_view text) {
  CgroupKeys keys;
  while (!text.empty()) {
    std::string_view line = take(text, '\n');
    const std::string_view key = take(line, ' ');
    std::uint64_t number = 0;
    if (line == "max") {
      keys.emplace(key, kCgroupMax);
    } else if (parseNumber(line, number)) {
      keys.emplace(key, number);
    }
  }
  return keys;
}

Result<CgroupKeys> readCgroupKeys(const Fd& group, const std::string& file) {
  TRY(const std::string text, readCgroupText(group, file));
  return parseCgroupKeys(text);
}

Result<std::vector<pid_t>> readCgroupIds(const Fd& group, const std::string& file) {
  TRY(const std::string text, readCgroupText(group, file));
  std::vector<pid_t> ids;
  std::string_view rest = text;
  while (!rest.empty()) {
    pid_t id = 0;
    if (parseNumber(take(rest, '\n'), id) && id > 0) ids.push_back(id);
  }
  return ids;
}

Result<Fd> watchCgroupEvent(const Fd& group, const std::string& file) {
  Fd events(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!events) return Error::fromErrno(errno, "eventfd");
  TRY(const Fd watched, openAt(group, file, O_RDONLY));
  TRY_VOID(writeExistingAt(group, "cgroup.event_control", fmt::format("{} {}", events.raw(), watched.raw())));
  return events;
}

}  // namespace gantry::kernel
