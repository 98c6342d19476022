// The WWW-Authenticate header (RFC 9110, section 11.6.1) and the token protocol of distribution's "Token
// Authentication Specification".
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace gantry::fetcher {

struct Challenge {
  std::string scheme;                             // lower case: "bearer", "basic"
  std::map<std::string, std::string> parameters;  // names in lower case

  bool operator==(const Challenge&) const = default;
};

// All challenges of one header value; what cannot be read ends the list.
std::vector<Challenge> parseChallenges(std::string_view header);

// "token" or "access_token" of a token server's answer. InvalidArgument when there is neither, or one that no header
// could carry.
Result<std::string> parseToken(std::string_view json);

// The messages in a registry's error body ("errors[].message"); empty when it is something else.
std::string parseRegistryErrors(std::string_view json);

}  // namespace gantry::fetcher
