// The user's terminal or pipes tied to a container's or session's streams: what `run` and `exec` do in the foreground.
#pragma once

#include <memory>
#include <string>

#include "async/descriptor.hpp"
#include "async/task.hpp"
#include "cli/agent_client.hpp"
#include "cli/launch_request.hpp"

namespace gantry::cli {

struct AttachOptions {
  std::string id;
  // Of a session: the container it runs in; else empty.
  std::string parent;
  bool interactive = false;
  bool terminal = false;

  bool isSession() const { return !parent.empty(); }
};

enum class AttachEnd { OutputEnded, Detached };

// Copies the records of `output` to standard output and error until they end or the user types the detach keys. Sends
// standard input (interactive) and window sizes (terminal); a session that gets neither is told that its input is at
// its end. SIGINT, SIGTERM, SIGHUP, SIGQUIT and SIGUSR1/2 go to the program; the second SIGINT kills it.
async::Task<Result<AttachEnd>> attach(AgentClient agent, http::ExchangePtr output, AttachOptions options);

// Only the output; for `logs`.
struct OutputStreams {
  async::Descriptor out;
  async::Descriptor err;
};
Result<std::shared_ptr<OutputStreams>> standardStreams(async::Executor executor);
async::Task<Result<void>> copyOutput(http::ExchangePtr output, std::shared_ptr<OutputStreams> streams);

// One record of output: a ProcessIO in JSON. Empty for control records.
struct OutputRecord {
  bool isError = false;
  std::string data;
};
Result<OutputRecord> parseOutputRecord(const std::string& json);

// Records of an input stream.
std::string firstInputRecord(const std::string& id, const std::string& parent);
std::string dataRecord(const std::string& data);
std::string windowRecord(WindowSize window);

// {"value": id, "parent": …} as Mesos spells ids.
std::string containerIdJson(const std::string& id, const std::string& parent = {});

}  // namespace gantry::cli
