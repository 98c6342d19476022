// Containers on disk: <root>/<id>/ with state.json, the bundle's config.json as it was at creation, and start.sock
// while the container waits for `start`.
//
// The directory belongs to a boot (its default is below /run), so nothing in it is fsynced; files are replaced by
// rename, which is enough for other processes never to see half a file.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "kernel/fd.hpp"
#include "kernel/process.hpp"
#include "oci/spec.hpp"
#include "runtime/cgroup.hpp"

namespace gantry::runtime {

inline constexpr const char* kStartSocket = "start.sock";

// What state.json holds.
struct ContainerRecord {
  std::string id;
  std::string bundle;  // absolute
  std::string rootfs;  // absolute
  // The container's first process; pid 0 while it is being created.
  kernel::ProcessId init;
  // RFC 3339, UTC.
  std::string created;
  uid_t owner = 0;
  std::map<std::string, std::string> annotations;
  std::vector<CgroupGroup> cgroups;
  // Some hooks of kind poststart or poststop exist: config.json is read for them only then.
  bool hasLateHooks = false;

  bool operator==(const ContainerRecord&) const = default;
};

// InvalidArgument names the member that is missing or wrong.
Result<ContainerRecord> parseRecord(std::string_view json);
std::string toJson(const ContainerRecord& record);

enum class Status { Creating, Created, Running, Paused, Stopped };
std::string_view toString(Status status);

// runc's rule: word characters, '+', '-' and '.', but not "." and ".."; at most 1024 characters.
Result<void> checkId(const std::string& id);

// The state directory of one container, locked against other runtime processes for as long as this object lives, or
// until unlock().
class ContainerDirectory {
 public:
  const kernel::Fd& fd() const { return directory_; }
  const std::string& path() const { return path_; }

  // NotFound while `create` has not written it; other errors say that the state file is damaged, and where.
  Result<ContainerRecord> load() const;
  Result<void> save(const ContainerRecord& record) const;
  Result<oci::Spec> loadSpec() const;
  Result<void> saveSpec(std::string_view configJson) const;
  bool waitsForStart() const;
  // From the process, start.sock and the freezer.
  Result<Status> status(const ContainerRecord& record) const;
  // Deletes it with everything in it.
  Result<void> remove() const;
  // Lets other runtime processes work on the container. For reading only from now on.
  void unlock() const;
  // In a forked child: the lock belongs to the open file, which would otherwise stay open, and locked, in the child.
  void close() { directory_.reset(); }

 private:
  friend class StateStore;
  // The first thing that `create` writes.
  bool hasSpec() const;
  ContainerDirectory(std::string path, kernel::Fd directory)
      : path_(std::move(path)), directory_(std::move(directory)) {}

  std::string path_;
  kernel::Fd directory_;
};

class StateStore {
 public:
  // `root` is made when the first container is.
  explicit StateStore(std::string root) : root_(std::move(root)) {}

  const std::string& root() const { return root_; }
  // Where compiled seccomp programs are kept: beside the containers, under a name that no container can have.
  std::string seccompCache() const { return root_ + "/@seccomp"; }

  // AlreadyExists when there is a container of this id. What is returned becomes the caller's own by saveSpec, before
  // which nothing else is written to it.
  Result<ContainerDirectory> create(const std::string& id) const;
  // NotFound when there is none. Waits for the lock.
  Result<ContainerDirectory> open(const std::string& id) const;
  // The same for reading only: does not wait for a runtime that works on the container.
  Result<ContainerDirectory> openUnlocked(const std::string& id) const;
  // Every id, sorted.
  Result<std::vector<std::string>> list() const;

 private:
  Result<ContainerDirectory> openDirectory(const std::string& id) const;

  std::string root_;
};

}  // namespace gantry::runtime
