#include "runtime/state_store.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#include <cctype>
#include <cerrno>

#include <algorithm>

#include <fmt/format.h>

#include "kernel/file.hpp"
#include "oci/json.hpp"

namespace gantry::runtime {

// read() is found by the argument's namespace, which an unnamed namespace would hide; hence `static`.

static void read(const oci::JsonValue& json, CgroupGroup& group) {
  json.required("hierarchy", group.hierarchy);
  json.required("mountPoint", group.mountPoint);
  json.required("directory", group.directory);
}

static void read(const oci::JsonValue& json, ContainerRecord& record) {
  json.required("id", record.id);
  json.required("bundle", record.bundle);
  json.required("rootfs", record.rootfs);
  json.required("pid", record.init.pid);
  json.required("startTime", record.init.startTime);
  json.required("created", record.created);
  json.required("owner", record.owner);
  json.member("annotations", record.annotations);
  json.member("cgroups", record.cgroups);
  json.member("hasLateHooks", record.hasLateHooks);
}

namespace {

constexpr const char* kStateFile = "state.json";
constexpr const char* kConfigFile = "config.json";

Result<void> lock(const kernel::Fd& directory) {
  while (::flock(directory.raw(), LOCK_EX) != 0) {
    if (errno != EINTR) return Error::fromErrno(errno, "lock the state directory");
  }
  return {};
}

// Whether the opened directory still has that path.
bool isAt(const kernel::Fd& directory, const std::string& path) {
  const auto ours = kernel::statAt(directory, "", AT_EMPTY_PATH);
  const auto there = kernel::statAt(kernel::workingDirectory(), path, AT_SYMLINK_NOFOLLOW);
  return ours && there && ours->st_ino == there->st_ino && ours->st_dev == there->st_dev;
}

Error isTaken(const std::string& id) {
  return Error(Code::AlreadyExists, fmt::format("container with id exists: '{}'", id));
}

Result<void> replaceUnsynced(const kernel::Fd& directory, const std::string& name, std::string_view data) {
  const std::string temporary = name + ".new";
  TRY(const kernel::Fd file, kernel::openAt(directory, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
  TRY_VOID(kernel::writeAll(file, data).under(fmt::format("write '{}'", temporary)));
  if (::renameat(directory.raw(), temporary.c_str(), directory.raw(), name.c_str()) != 0) {
    return Error::fromErrno(errno, fmt::format("rename '{}'", temporary));
  }
  return {};
}

// A zombie has stopped, whoever is to collect it.
bool isRunning(const kernel::ProcessId& id) {
  if (id.pid == 0) return false;
  const auto text = kernel::readFile(fmt::format("/proc/{}/stat", id.pid));
  if (!text) return false;
  const auto end = text->rfind(')');
  if (end == std::string::npos || end + 2 >= text->size()) return false;
  const char state = (*text)[end + 2];
  return state != 'Z' && state != 'X' && kernel::isAlive(id);
}

}  // namespace

Result<ContainerRecord> parseRecord(std::string_view json) {
  return oci::parseJson<ContainerRecord>(json);
}

std::string toJson(const ContainerRecord& record) {
  oci::JsonWriter json;
  json.open('{').member("id", record.id).member("bundle", record.bundle).member("rootfs", record.rootfs);
  json.member("pid", record.init.pid).member("startTime", record.init.startTime);
  json.member("created", record.created).member("owner", record.owner);
  json.optional("annotations", record.annotations).optional("hasLateHooks", record.hasLateHooks);
  json.open('[', "cgroups");
  for (const CgroupGroup& group : record.cgroups) {
    json.open('{').member("hierarchy", group.hierarchy).member("mountPoint", group.mountPoint);
    json.member("directory", group.directory).close();
  }
  json.close().close();
  return json.text();
}

std::string_view toString(Status status) {
  switch (status) {
    case Status::Creating:
      return "creating";
    case Status::Created:
      return "created";
    case Status::Running:
      return "running";
    case Status::Paused:
      return "paused";
    case Status::Stopped:
      return "stopped";
  }
  return "stopped";
}

Result<void> checkId(const std::string& id) {
  const auto isAllowed = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '+' || c == '-' || c == '.';
  };
  if (id.empty() || id.size() > 1024 || id == "." || id == ".." || !std::all_of(id.begin(), id.end(), isAllowed)) {
    return Error(Code::InvalidArgument, fmt::format("invalid container id format: '{}'", id));
  }
  return {};
}

Result<ContainerRecord> ContainerDirectory::load() const {
  auto read = kernel::readFileAt(directory_, kStateFile);
  if (!read && read.error().code() == Code::NotFound) {
    return Error(Code::NotFound,
                 fmt::format("container '{}' has no state yet, or no more", path_.substr(path_.rfind('/') + 1)));
  }
  TRY(const std::string text, std::move(read));
  return parseRecord(text).under(fmt::format("the state file '{}/{}' is damaged", path_, kStateFile));
}

Result<void> ContainerDirectory::save(const ContainerRecord& record) const {
  return replaceUnsynced(directory_, kStateFile, toJson(record)).under("save the container's state");
}

Result<oci::Spec> ContainerDirectory::loadSpec() const {
  TRY(const std::string text, kernel::readFileAt(directory_, kConfigFile));
  return oci::parseSpec(text).under(fmt::format("the configuration '{}/{}' is damaged", path_, kConfigFile));
}

Result<void> ContainerDirectory::saveSpec(std::string_view configJson) const {
  TRY(const kernel::Fd file, kernel::openAt(directory_, kConfigFile, O_WRONLY | O_CREAT | O_EXCL, 0600));
  return kernel::writeAll(file, configJson).under("save the container's configuration");
}

bool ContainerDirectory::hasSpec() const {
  return ::faccessat(directory_.raw(), kConfigFile, F_OK, 0) == 0;
}

bool ContainerDirectory::waitsForStart() const {
  return ::faccessat(directory_.raw(), kStartSocket, F_OK, 0) == 0;
}

Result<Status> ContainerDirectory::status(const ContainerRecord& record) const {
  if (record.init.pid == 0) return Status::Creating;
  if (!isRunning(record.init)) return Status::Stopped;
  // Before it was started, too: `start` would wait for it without end.
  const auto frozen = Cgroup(record.cgroups).isFrozen();
  if (frozen && *frozen) return Status::Paused;
  return waitsForStart() ? Status::Created : Status::Running;
}

void ContainerDirectory::unlock() const {
  ::flock(directory_.raw(), LOCK_UN);
}

Result<void> ContainerDirectory::remove() const {
  return kernel::removeTree(path_);
}

Result<ContainerDirectory> StateStore::create(const std::string& id) const {
  TRY_VOID(checkId(id));
  const std::string path = fmt::format("{}/{}", root_, id);
  while (true) {
    auto made = kernel::makeDirectoryAt(kernel::workingDirectory(), path, 0700);
    if (!made && made.error().code() == Code::NotFound) {
      TRY_VOID(kernel::makeDirectories(root_, 0700));
      made = kernel::makeDirectoryAt(kernel::workingDirectory(), path, 0700);
    }
    if (!made && made.error().code() == Code::AlreadyExists) return isTaken(id);
    TRY_VOID(std::move(made));
    auto opened = openDirectory(id);
    if (!opened && opened.error().code() == Code::NotFound) continue;
    TRY(ContainerDirectory container, std::move(opened));
    TRY_VOID(lock(container.directory_));
    // Before we had the lock, `delete --force` may have taken our empty directory for what a killed `create` left, and
    // another `create` may have made this one. It belongs to whoever had the lock first and put the configuration
    // there.
    if (!isAt(container.directory_, path)) continue;
    if (container.hasSpec()) return isTaken(id);
    return container;
  }
}

Result<ContainerDirectory> StateStore::open(const std::string& id) const {
  while (true) {
    TRY(ContainerDirectory container, openDirectory(id));
    TRY_VOID(lock(container.directory_));
    // While we waited, `delete` may have removed what we opened, and `create` made another one of the same id.
    if (isAt(container.directory_, container.path_)) return container;
  }
}

Result<ContainerDirectory> StateStore::openUnlocked(const std::string& id) const {
  return openDirectory(id);
}

Result<ContainerDirectory> StateStore::openDirectory(const std::string& id) const {
  TRY_VOID(checkId(id));
  std::string path = fmt::format("{}/{}", root_, id);
  auto directory = kernel::open(path, O_RDONLY | O_DIRECTORY);
  if (!directory && directory.error().code() == Code::NotFound) {
    return Error(Code::NotFound, fmt::format("container does not exist: '{}'", id));
  }
  TRY(kernel::Fd opened, std::move(directory));
  return ContainerDirectory(std::move(path), std::move(opened));
}

Result<std::vector<std::string>> StateStore::list() const {
  auto names = kernel::listDirectory(root_);
  if (!names && names.error().code() == Code::NotFound) return std::vector<std::string>();
  TRY(std::vector<std::string> ids, std::move(names));
  std::erase_if(ids, [](const std::string& name) { return !checkId(name); });
  std::sort(ids.begin(), ids.end());
  return ids;
}

}  // namespace gantry::runtime
