// gantry: the operator's command line.
#include <cstdio>
#include <string>
#include <variant>
#include <vector>

#include "async/run.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "cli/options.hpp"

namespace gantry::cli {

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void printError(const Error& error) {
  std::fprintf(stderr, "gantry: %s\n", error.message().c_str());
}

namespace {

Outcome start(const AgentClient& agent, const Invocation& invocation) {
  const Format format = invocation.format;
  struct Starter {
    const AgentClient& agent;
    Format format;

    Outcome operator()(const RunOptions& options) const { return run(agent, options, format); }
    Outcome operator()(const ExecOptions& options) const { return exec(agent, options); }
    Outcome operator()(const PsOptions& options) const { return ps(agent, options, format); }
    Outcome operator()(const LogsOptions& options) const { return logs(agent, options, format); }
    Outcome operator()(const InspectOptions& options) const { return inspect(agent, options); }
    Outcome operator()(const StatsOptions& options) const { return stats(agent, options, format); }
    Outcome operator()(const StopOptions& options) const { return stop(agent, options, format); }
    Outcome operator()(const KillOptions& options) const { return kill(agent, options, format); }
    Outcome operator()(const RmOptions& options) const { return rm(agent, options, format); }
    Outcome operator()(const PullOptions& options) const { return pull(agent, options, format); }
    Outcome operator()(const ImagesOptions& options) const { return images(agent, options, format); }
  };
  return std::visit(Starter{agent, format}, invocation.command);
}

Result<int> runProgram(std::vector<std::string> arguments) {
  TRY(const auto parsed, parseArguments(std::move(arguments)));
  if (const auto* help = std::get_if<Help>(&parsed)) {
    print(help->text);
    return 0;
  }
  const auto& invocation = std::get<Invocation>(parsed);
  TRY(const AgentClient agent, AgentClient::fromOption(invocation.agent));
  async::Loop loop;
  return async::runUntilDone(loop, start(agent, invocation));
}

}  // namespace
}  // namespace gantry::cli

int main(int argc, char** argv) {
  const auto code = gantry::cli::runProgram(std::vector<std::string>(argv + 1, argv + argc));
  if (code) return *code;
  gantry::cli::printError(code.error());
  return gantry::cli::kOwnFailure;
}
