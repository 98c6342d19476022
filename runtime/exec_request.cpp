#include "runtime/exec_request.hpp"

#include <charconv>
#include <limits>
#include <string_view>

#include <fmt/format.h>

#include "kernel/capability.hpp"
#include "kernel/file.hpp"

namespace gantry::runtime {
namespace {

// -1 means "unchanged" to setresuid, so it is no id.
std::optional<std::uint32_t> parseId(std::string_view text) {
  std::uint32_t id = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), id);
  const bool whole = !text.empty() && code == std::errc() && end == text.data() + text.size();
  if (!whole || id == std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
  return id;
}

Result<void> applyUser(const ExecFlags& flags, oci::User& user) {
  if (!flags.user.empty()) {
    TRY(const NumericUser wanted, parseNumericUser(flags.user).under("--user"));
    user.uid = wanted.uid;
    if (wanted.gid) user.gid = *wanted.gid;
  }
  for (const std::string& text : flags.additionalGids) {
    const auto gid = parseId(text);
    if (!gid) return Error(Code::InvalidArgument, fmt::format("--additional-gids: '{}' is not a group id", text));
    user.additionalGids.push_back(*gid);
  }
  return {};
}

Result<void> applyCapabilities(const ExecFlags& flags, oci::Process& process) {
  for (const std::string& name : flags.capabilities) {
    const std::string full = name.starts_with("CAP_") ? name : "CAP_" + name;
    if (!kernel::capabilityNumber(full)) {
      return Error(Code::InvalidArgument, fmt::format("--cap: '{}' is not a capability", name));
    }
    if (!process.capabilities) process.capabilities.emplace();
    process.capabilities->bounding.push_back(full);
    process.capabilities->permitted.push_back(full);
    process.capabilities->effective.push_back(full);
  }
  return {};
}

}  // namespace

Result<NumericUser> parseNumericUser(const std::string& text) {
  const auto colon = text.find(':');
  const auto uid = parseId(std::string_view(text).substr(0, colon));
  NumericUser user;
  if (colon != std::string::npos) user.gid = parseId(std::string_view(text).substr(colon + 1));
  if (!uid || (colon != std::string::npos && !user.gid)) {
    return Error(Code::InvalidArgument, fmt::format("'{}' is not of the form uid[:gid]", text));
  }
  user.uid = *uid;
  return user;
}

Result<oci::Process> processFor(const ExecFlags& flags, const std::vector<std::string>& arguments,
                                const oci::Process& container) {
  if (!flags.process.empty()) {
    TRY(const std::string text, kernel::readFile(flags.process == "-" ? "/dev/stdin" : flags.process));
    return oci::parseProcess(text).under(flags.process);
  }
  if (arguments.empty()) return Error(Code::InvalidArgument, "process args cannot be empty");
  oci::Process process = container;
  process.args = arguments;
  process.terminal = flags.terminal;
  process.consoleSize.reset();
  if (!flags.cwd.empty()) {
    if (!flags.cwd.starts_with('/')) {
      return Error(Code::InvalidArgument, fmt::format("--cwd: '{}' is not an absolute path", flags.cwd));
    }
    process.cwd = flags.cwd;
  }
  for (const std::string& entry : flags.environment) {
    if (entry.find('=') == std::string::npos || entry.starts_with('=')) {
      return Error(Code::InvalidArgument, fmt::format("--env: '{}' is not of the form name=value", entry));
    }
    process.env.push_back(entry);
  }
  TRY_VOID(applyUser(flags, process.user));
  TRY_VOID(applyCapabilities(flags, process));
  if (flags.noNewPrivileges) process.noNewPrivileges = true;
  if (!flags.apparmor.empty()) process.apparmorProfile = flags.apparmor;
  if (!flags.label.empty()) process.selinuxLabel = flags.label;
  return process;
}

}  // namespace gantry::runtime
