// What `exec` is asked to run: a process object from a file, or the container's own process changed by flags.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "oci/spec.hpp"

namespace gantry::runtime {

struct ExecFlags {
  // A file, "-" for standard input; excludes the others.
  std::string process;
  bool terminal = false;
  std::string cwd;
  std::vector<std::string> environment;
  std::string user;
  std::vector<std::string> additionalGids;
  std::vector<std::string> capabilities;
  bool noNewPrivileges = false;
  std::string apparmor;
  std::string label;
};

// `arguments` is the command line. Errors name the flag.
Result<oci::Process> processFor(const ExecFlags& flags, const std::vector<std::string>& arguments,
                                const oci::Process& container);

// "1000" or "1000:100": decimal numbers below 2^32 - 1 and nothing else, so that nothing can wrap around to root.
struct NumericUser {
  std::uint32_t uid = 0;
  std::optional<std::uint32_t> gid;
  bool operator==(const NumericUser&) const = default;
};
Result<NumericUser> parseNumericUser(const std::string& text);

}  // namespace gantry::runtime
