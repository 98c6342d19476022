// Proving to a master who we are: CRAM-MD5, spoken by a process of its own. Reference: libprocess, 6 and 9.
#pragma once

#include <functional>
#include <string>

#include "agent/master/messenger.hpp"
#include "async/task.hpp"
#include "async/time.hpp"

namespace gantry::agent::master {

struct Credential {
  std::string principal;
  std::string secret;
};
// The text of a --credential file: {"principal": "…", "secret": "…"}, or both as words on one line. InvalidArgument
// otherwise, and when one is empty.
Result<Credential> parseCredential(const std::string& text);

// One attempt is given up after a random time between the shortest and a limit; that grows with each attempt.
struct AuthenticationTimes {
  async::Duration shortest = std::chrono::seconds(5);  // --authentication_timeout_min
  async::Duration longest = std::chrono::minutes(1);   // --authentication_timeout_max
  async::Duration backoff = std::chrono::seconds(1);   // --authentication_backoff_factor
};

// Authenticates the local process `agent` with the program of `master`, as often as it takes. `random` is uniform in
// [0, 1). Fails with PermissionDenied when the credential was refused, which is final, and with Cancelled.
async::Task<Result<void>> authenticate(Messenger* messenger, Upid master, std::string agent, Credential credential,
                                       AuthenticationTimes times, std::function<double()> random);

// What the server of CRAM-MD5 is answered: the principal and the keyed digest of its challenge.
std::string crammd5Response(const Credential& credential, const std::string& challenge);

}  // namespace gantry::agent::master
