// The commands, one coroutine each. Each returns the exit code, or an error to print.
#pragma once

#include <string>

#include "async/task.hpp"
#include "cli/agent_client.hpp"
#include "cli/options.hpp"

namespace gantry::cli {

using Outcome = async::Task<Result<int>>;

Outcome run(AgentClient agent, RunOptions options, Format format);
Outcome exec(AgentClient agent, ExecOptions options);
Outcome ps(AgentClient agent, PsOptions options, Format format);
Outcome logs(AgentClient agent, LogsOptions options, Format format);
Outcome inspect(AgentClient agent, InspectOptions options);
Outcome stats(AgentClient agent, StatsOptions options, Format format);
Outcome stop(AgentClient agent, StopOptions options, Format format);
Outcome kill(AgentClient agent, KillOptions options, Format format);
Outcome rm(AgentClient agent, RmOptions options, Format format);
Outcome pull(AgentClient agent, PullOptions options, Format format);
Outcome images(AgentClient agent, ImagesOptions options, Format format);

// Brings an image here (with `cached`: only when it is not here yet) and returns it as JSON. Progress goes to standard
// error unless `quiet`.
async::Task<Result<std::string>> pullImage(AgentClient agent, std::string reference, bool cached, bool quiet);

// Blocks while standard output is slow; for results of bounded size.
void print(const std::string& text);
// "gantry: <sentence>" on standard error.
void printError(const Error& error);

// The path of a container below /gantry/v1/containers.
std::string containerPath(const std::string& id);

}  // namespace gantry::cli
