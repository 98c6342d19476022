#include "agent/containers/request_check.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include "agent/containers/bundle.hpp"
#include "fetcher/reference.hpp"

namespace gantry::agent {
namespace {

using isolators::Command;
using isolators::ContainerRequest;

// setrlimit(2).
constexpr std::array<std::string_view, 16> kLimits = {
    "RLIMIT_AS",      "RLIMIT_CORE",     "RLIMIT_CPU",        "RLIMIT_DATA",   "RLIMIT_FSIZE", "RLIMIT_LOCKS",
    "RLIMIT_MEMLOCK", "RLIMIT_MSGQUEUE", "RLIMIT_NICE",       "RLIMIT_NOFILE", "RLIMIT_NPROC", "RLIMIT_RSS",
    "RLIMIT_RTPRIO",  "RLIMIT_RTTIME",   "RLIMIT_SIGPENDING", "RLIMIT_STACK"};

Result<void> checkCommand(const Command& command, bool hasImage) {
  // With an image, what is missing may be there; commandLine() decides when it is known.
  oci::ImageProcess unknown;
  if (hasImage) unknown.entrypoint = {"?"};
  TRY_VOID(commandLine(command, unknown));
  for (const auto& [name, value] : command.environment) {
    if (name.empty()) return Error::invalid("command.environment", "a variable has no name");
    if (name.find('=') != std::string::npos) {
      return Error::invalid("command.environment", fmt::format("the name '{}' has a '=' in it", name));
    }
    if (name.find('\0') != std::string::npos || value.find('\0') != std::string::npos) {
      return Error::invalid("command.environment", "holds a NUL character");
    }
  }
  if (command.workingDirectory && !command.workingDirectory->starts_with('/')) {
    return Error::invalid("command.working_directory",
                          fmt::format("'{}' must be an absolute path", *command.workingDirectory));
  }
  if (command.user && command.user->empty()) return Error::invalid("command.user", "must not be empty");
  return {};
}

Result<void> checkRlimits(const std::vector<isolators::Rlimit>& limits) {
  std::set<std::string> seen;
  for (const isolators::Rlimit& limit : limits) {
    if (std::ranges::find(kLimits, limit.type) == kLimits.end()) {
      return Error::invalid("rlimits", fmt::format("'{}' is no resource limit", limit.type));
    }
    if (!seen.insert(limit.type).second) return Error::invalid("rlimits", limit.type + " is given twice");
    if (limit.soft > limit.hard) return Error::invalid("rlimits", limit.type + ": soft is above hard");
  }
  return {};
}

}  // namespace

Result<void> checkRequest(const ContainerRequest& request) {
  if (request.id.isNested()) {
    return Error(Code::Unsupported, "container_id.parent: nested containers can only be sessions");
  }
  if (request.image) {
    auto reference = fetcher::Reference::parse(*request.image);
    if (!reference) return std::move(reference).error().under("image");
  }
  if (request.sandbox && !request.sandbox->starts_with('/')) {
    return Error::invalid("sandbox", fmt::format("'{}' must be an absolute path", *request.sandbox));
  }
  TRY_VOID(checkCommand(request.command, request.image.has_value()));
  TRY_VOID(checkRlimits(request.rlimits));
  if (!request.terminal && (request.terminalRows != 0 || request.terminalColumns != 0)) {
    return Error::invalid("terminal_rows", "a window size needs a terminal");
  }
  return {};
}

Result<void> checkSession(const SessionRequest& request) {
  if (!request.id.isNested()) return Error::invalid("container_id.parent", "must be set for a session");
  return checkCommand(request.command, false);
}

}  // namespace gantry::agent
