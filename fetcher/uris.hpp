// Fetches what a task needs into its sandbox before it starts: files and archives named by URIs. The agent itself never
// speaks to a server, never reads a task's files and never unpacks an archive: gantry-fetcher does.
#pragma once

#include <functional>
#include <string>

#include "async/task.hpp"
#include "fetcher/uri_messages.hpp"

namespace gantry::fetcher {

// Called on the loop's thread, a few times per second. Must not throw.
using UriProgressSink = std::function<void(const UriProgress&)>;

// What the agent wants of a fetcher of URIs; tests have their own.
class UriFetcher {
 public:
  virtual ~UriFetcher() = default;
  // Brings the URIs into the sandbox, in order, each file owned by the request's user. An error's message begins with
  // the URI it is about (its password left out) and names the reason; InvalidArgument and Unsupported when the request
  // or an archive is bad, NotFound and PermissionDenied as the other side has it, Exhausted for a limit or a full disk,
  // Timeout and Unavailable when the other side is slow or gone. The first error ends the fetch: files that were
  // complete by then stay in the sandbox, no part of another one does (but for an archive that was being unpacked).
  // Cancelled with the coroutine: nothing of the fetch runs on.
  // Any number may run at once, for different sandboxes.
  virtual async::Task<Result<FetchedUris>> fetch(UriRequest request, UriProgressSink progress) = 0;
};

// Starts the program once per fetch. Only used on the loop's thread.
class UriFetcherProgram final : public UriFetcher {
 public:
  // `program` is absolute.
  explicit UriFetcherProgram(std::string program) : program_(std::move(program)) {}

  async::Task<Result<FetchedUris>> fetch(UriRequest request, UriProgressSink progress) override;

 private:
  const std::string program_;
};

}  // namespace gantry::fetcher
