// The small languages of the command line: variables, volumes, ports, limits, signals. Errors are InvalidArgument with
// a sentence that quotes what was given.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace gantry::cli {

// "KEY=value", or "KEY" for the value it has in our own environment (left out when it has none). Files have one on each
// line; empty lines and those that begin with '#' are skipped. Variables given directly win over those in files.
Result<std::map<std::string, std::string>> parseEnvironment(const std::vector<std::string>& files,
                                                            const std::vector<std::string>& variables);

struct VolumeSpec {
  std::string source;  // absolute
  std::string target;  // absolute
  bool readOnly = false;
  bool bidirectional = false;

  bool operator==(const VolumeSpec&) const = default;
};
// "source:target[:option,…]", options ro, rw, rslave (default), rshared. A source that begins with "./" or "../" is
// relative to our working directory.
Result<VolumeSpec> parseVolume(const std::string& text);

struct PortSpec {
  std::uint16_t host = 0;  // 0: any free one
  std::uint16_t container = 0;
  bool udp = false;

  bool operator==(const PortSpec&) const = default;
};
// "80", "8080:80", "8080:80/udp", "8000-8002:80-82"; one entry for each port of a range.
Result<std::vector<PortSpec>> parsePorts(const std::string& text);

// "key=value" or "key".
std::pair<std::string, std::string> parseLabel(const std::string& text);

struct UlimitSpec {
  std::string type;  // "RLMT_NOFILE"
  // Unset: unlimited.
  std::optional<std::uint64_t> soft;
  std::optional<std::uint64_t> hard;

  bool operator==(const UlimitSpec&) const = default;
};
// "nofile=1024", "nofile=1024:2048", "core=unlimited" (both, or neither).
Result<UlimitSpec> parseUlimit(const std::string& text);

// "KILL", "SIGKILL", "sigkill", "9", "RTMIN+3".
Result<int> parseSignal(const std::string& text);

// What --cap-add and --cap-drop leave of the default set, as names without "CAP_"; nothing when neither was given.
Result<std::optional<std::vector<std::string>>> parseCapabilities(const std::vector<std::string>& add,
                                                                  const std::vector<std::string>& drop);

}  // namespace gantry::cli
