// What a CNI plug-in answers: a result of any version from 0.1.0 on, or an error.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace gantry::network {

struct Dns {
  std::vector<std::string> nameservers;
  std::string domain;
  std::vector<std::string> search;
  std::vector<std::string> options;

  bool operator==(const Dns&) const = default;
};

struct CniResult {
  // Without prefix length, IPv4 and IPv6, in the plug-in's order.
  std::vector<std::string> addresses;
  Dns dns;

  bool operator==(const CniResult&) const = default;
};

// InvalidArgument when it is no result, or an address in it is none. An empty text is an empty result: plug-ins of old
// versions may have nothing to say.
Result<CniResult> parseCniResult(std::string_view text);

// The error of a plug-in that failed: from {"code", "msg", "details"} on its standard output, otherwise from the last
// line of its standard error. Plug-in codes become ours: 2 Unsupported, 3 NotFound, 4, 6 and 7 InvalidArgument, 11
// Busy, 50 and 51 Unavailable, anything else Internal.
Error pluginError(std::string_view standardOutput, std::string_view standardError, int waitStatus);

}  // namespace gantry::network
