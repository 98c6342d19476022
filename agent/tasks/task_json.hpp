// Frameworks, tasks and statuses as JSON text: how the agent's database spells them. What is unset or empty is left
// out, and Messages are base64.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/tasks/manager.hpp"
#include "agent/tasks/task.hpp"
#include "base/result.hpp"

namespace gantry::agent::tasks {

// Why a task that would go on is ended.
enum class Ending {
  None,
  Killed,     // by the master, or by a drain
  Expired,    // its time was up
  Discarded,  // its framework is gone: nobody wants to hear of it
};

// What has been decided about a task beyond its request, and what it got.
struct Progress {
  Ending ending = Ending::None;
  // When `ending`: SIGKILL is due.
  Clock::time_point killAt;
  std::string sandbox;

  bool operator==(const Progress&) const = default;
};

struct StoredFramework {
  Framework framework;
  // It was shut down, and its tasks are ending.
  bool ending = false;
};

// Each parse function fails with InvalidArgument, naming the member, for anything its counterpart does not write. What
// is no UTF-8 in a text is replaced, but for a request, which is refused with InvalidArgument then.
std::string toJson(const StoredFramework& framework);
Result<StoredFramework> parseFramework(std::string_view json);

Result<std::string> toJson(const TaskRequest& request);
Result<TaskRequest> parseTaskRequest(std::string_view json);

std::string toJson(const Progress& progress);
Result<Progress> parseProgress(std::string_view json);

std::string toJson(const TaskStatus& status);
Result<TaskStatus> parseStatus(std::string_view json);

std::string toJson(const DrainConfig& drain);
Result<DrainConfig> parseDrain(std::string_view json);

}  // namespace gantry::agent::tasks
