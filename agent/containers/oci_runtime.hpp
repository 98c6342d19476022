// What the agent wants of an OCI runtime once the monitor has created a container, and the one that runs a program.
#pragma once

#include <string>

#include "async/task.hpp"
#include "base/ids.hpp"

namespace gantry::agent {

// Only used on the agent's thread.
class OciRuntime {
 public:
  virtual ~OciRuntime() = default;
  // Lets the created container's program run. Unavailable, with the runtime's own sentence, when it cannot.
  virtual async::Task<Result<void>> start(ContainerId id) = 0;
  // Kills what is left of the container and removes what the runtime made for it; success when it is unknown.
  virtual async::Task<Result<void>> remove(ContainerId id) = 0;
};

// Any program with runc's command line: gantry-runtime, crun, runc.
class RuntimeProgram final : public OciRuntime {
 public:
  // `program` is absolute; `root` is where it keeps its state (--root).
  RuntimeProgram(std::string program, std::string root) : program_(std::move(program)), root_(std::move(root)) {}

  async::Task<Result<void>> start(ContainerId id) override;
  async::Task<Result<void>> remove(ContainerId id) override;

 private:
  async::Task<Result<void>> call(std::vector<std::string> arguments);

  const std::string program_;
  const std::string root_;
};

// The sentence in what a runtime wrote to its standard error: the "msg" of the last line that has one, as JSON or as
// runc's key="value" text; otherwise the last line, without the program's name in front. Empty without any output.
std::string runtimeSentence(std::string_view output, std::string_view program);

}  // namespace gantry::agent
