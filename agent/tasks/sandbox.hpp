// Where the files of tasks are, laid out as Mesos does: what its web UI and tools expect to find below the work
// directory (reference: agent-http, 9, and master-agent, 8.1).
#pragma once

#include <string>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "fetcher/uri_messages.hpp"

namespace gantry::agent::tasks {

// What a sandbox is named by.
struct SandboxPlace {
  std::string workDirectory;
  std::string agent;
  std::string framework;
  std::string executor;
  std::string container;
};

// <work>/slaves/<agent>/frameworks/<framework>/executors/<executor>/runs/<container>. InvalidArgument names an id that
// cannot be the name of a directory: empty, too long, "." or "..", or with a '/' or control characters in it.
Result<std::string> sandboxPath(const SandboxPlace& place);

// Makes the sandbox (mode 0750, the user's) and lets "latest" beside it point to it. May be called again.
Result<void> makeSandbox(const std::string& path, const fetcher::UriUser& owner);

// <work>/slaves/<agent>, with <work>/slaves/latest pointing to it.
Result<void> makeAgentDirectory(const std::string& workDirectory, const std::string& agent);

// Whom the host knows by `user` ("name", "uid", "name:group" …), for files. NotFound when it knows nobody.
Result<fetcher::UriUser> hostUser(const std::string& user);

}  // namespace gantry::agent::tasks
