// Runs gantry-fetcher. The agent never speaks to a registry and never reads an archive itself.
#pragma once

#include <functional>
#include <string>

#include "async/task.hpp"
#include "fetcher/messages.hpp"

namespace gantry::fetcher {

// Called on the loop's thread, a few times per second and layer. Must not throw.
using ProgressSink = std::function<void(const Progress&)>;

// What the agent wants of a fetcher; tests have their own.
class Fetcher {
 public:
  virtual ~Fetcher() = default;
  // Brings the image into `request.store` and returns it. NotFound names the reference when the registry does not know
  // it; PermissionDenied when it does not let us; InvalidArgument and Unsupported say what is wrong with the image;
  // Unavailable when the other side cannot be reached. A failed or cancelled pull leaves whole layers or nothing.
  virtual async::Task<Result<Image>> pull(PullRequest request, ProgressSink progress) = 0;
};

// Starts the program once per pull. Only used on the loop's thread.
class FetcherProgram final : public Fetcher {
 public:
  // `program` is absolute.
  explicit FetcherProgram(std::string program) : program_(std::move(program)) {}

  async::Task<Result<Image>> pull(PullRequest request, ProgressSink progress) override;

 private:
  const std::string program_;
};

}  // namespace gantry::fetcher
