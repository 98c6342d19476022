#include "agent/tasks/sandbox.hpp"

#include <fcntl.h>

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "agent/containers/user.hpp"
#include "kernel/file.hpp"
#include "kernel/node.hpp"

namespace gantry::agent::tasks {
namespace {

constexpr std::size_t kLongestName = 255;
// Others pass through: without an image the task's own program must reach its sandbox.
constexpr mode_t kPassage = 0755;

Result<void> checkName(const char* what, const std::string& id) {
  if (id.empty()) return Error::invalid(what, "is empty");
  if (id.size() > kLongestName) return Error::invalid(what, fmt::format("is longer than {} bytes", kLongestName));
  const auto isBad = [](char c) { return c == '/' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (id == "." || id == ".." || std::ranges::any_of(id, isBad)) {
    return Error::invalid(what, fmt::format("'{}' cannot be the name of a directory", id));
  }
  return {};
}

// `directory`/latest -> `name`, replaced in one step.
Result<void> pointLatest(const std::string& directory, const std::string& name) {
  const std::string fresh = fmt::format("{}/.latest-{}", directory, name);
  ignore(kernel::unlink(fresh), "most likely there is none");
  TRY_VOID(kernel::symlinkAt(name, kernel::workingDirectory(), fresh));
  return kernel::rename(fresh, directory + "/latest");
}

}  // namespace

Result<std::string> sandboxPath(const SandboxPlace& place) {
  TRY_VOID(checkName("agent_id", place.agent));
  TRY_VOID(checkName("framework_id", place.framework));
  TRY_VOID(checkName("task_id", place.executor));
  TRY_VOID(checkName("container_id", place.container));
  return fmt::format("{}/slaves/{}/frameworks/{}/executors/{}/runs/{}", place.workDirectory, place.agent,
                     place.framework, place.executor, place.container);
}

Result<void> makeSandbox(const std::string& path, const fetcher::UriUser& owner) {
  const std::filesystem::path sandbox(path);
  const std::string runs = sandbox.parent_path();
  TRY_VOID(kernel::makeDirectories(runs, kPassage));
  TRY_VOID(kernel::makeDirectories(path, 0750));
  TRY_VOID(kernel::changeOwnerAt(kernel::workingDirectory(), path, owner.uid, owner.gid));
  return pointLatest(runs, sandbox.filename());
}

Result<void> makeAgentDirectory(const std::string& workDirectory, const std::string& agent) {
  TRY_VOID(checkName("agent_id", agent));
  const std::string slaves = workDirectory + "/slaves";
  TRY_VOID(kernel::makeDirectories(fmt::format("{}/{}", slaves, agent), kPassage));
  return pointLatest(slaves, agent);
}

Result<fetcher::UriUser> hostUser(const std::string& user) {
  TRY(const auto root, kernel::open("/", O_PATH | O_DIRECTORY));
  TRY(const ResolvedUser resolved, resolveUser(root, user));
  return fetcher::UriUser{.uid = resolved.user.uid, .gid = resolved.user.gid, .groups = resolved.user.additionalGids};
}

}  // namespace gantry::agent::tasks
