#include <fmt/format.h>
#include <sys/random.h>

#include <array>
#include <nlohmann/json.hpp>

#include "async/scope.hpp"
#include "cli/attach.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "cli/launch_request.hpp"
#include "cli/terminal.hpp"

namespace gantry::cli {
namespace {

using nlohmann::json;

Result<std::string> randomId() {
  std::array<unsigned char, 6> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return Error::fromErrno(errno, "getrandom");
  }
  return fmt::format("{:02x}", fmt::join(bytes, ""));
}

std::string waitCall(const std::string& id) {
  return json{{"type", "WAIT_CONTAINER"}, {"wait_container", {{"container_id", {{"value", id}}}}}}.dump();
}

std::string waitSessionCall(const std::string& id, const std::string& parent) {
  return json{{"type", "WAIT_NESTED_CONTAINER"},
              {"wait_nested_container", {{"container_id", {{"value", id}, {"parent", {{"value", parent}}}}}}}}
      .dump();
}

Result<void> checkTerminal(bool terminal, bool interactive) {
  if (terminal && interactive && !isStdinTerminal()) {
    return Error(Code::InvalidArgument, "standard input is not a terminal: leave out --tty");
  }
  return {};
}

int finish(const Ending& ending) {
  if (!ending.message.empty()) printError(Error(Code::Internal, ending.message));
  return ending.code;
}

async::Task<Result<ImageProgram>> imageProgram(AgentClient agent, RunOptions options) {
  const bool cached = options.pull != "always";
  CO_TRY(const std::string text, co_await pullImage(std::move(agent), options.image, cached, false));
  const json image = json::parse(text, nullptr, false);
  if (!image.is_object() || !image.contains("config")) co_return ImageProgram();
  const json& config = image["config"];
  co_return parseImageProgram(config.is_string() ? config.get<std::string>() : config.dump());
}

async::Task<Result<void>> launch(AgentClient agent, std::string id, std::string body) {
  CO_TRY(const auto response, co_await agent.post("/gantry/v1/containers", std::move(body)));
  // The agent takes the same request twice for a repetition; two runs of one name are not meant as one.
  if (response.status == 202) {
    co_return Error(Code::AlreadyExists, fmt::format("a container named '{}' exists already", id));
  }
  co_return Result<void>();
}

Outcome runAttached(AgentClient agent, RunOptions options, std::string id) {
  CO_TRY(auto output, co_await agent.stream("GET", containerPath(id) + "/logs?follow=true", ""));
  AttachOptions attached{id, "", options.interactive, options.terminal};
  const auto end = co_await attach(agent, std::move(output), std::move(attached));
  if (!end) co_return end.error().under(fmt::format("container '{}' goes on", id));
  if (*end == AttachEnd::Detached) co_return 0;
  std::string call = waitCall(id);
  CO_TRY(const std::string answer, co_await agent.call(std::move(call)));
  CO_TRY(const Ending ending, parseEnding(answer));
  if (options.remove) {
    auto removed = co_await agent.remove(containerPath(id));
    if (!removed) printError(removed.error());
  }
  co_return finish(ending);
}

async::Task<> awaitEnding(AgentClient agent, std::string call, std::shared_ptr<Result<Ending>> into) {
  const auto answer = co_await agent.call(std::move(call));
  *into = answer ? parseEnding(*answer) : Result<Ending>(answer.error());
}

}  // namespace

Outcome run(AgentClient agent, RunOptions options, Format format) {
  CO_TRY_VOID(checkTerminal(options.terminal, options.interactive && !options.detach));
  std::string id = options.name;
  if (id.empty()) {
    CO_TRY(id, randomId());
  }
  CO_TRY(const ImageProgram program, co_await imageProgram(agent, options));
  CO_TRY(std::string body, launchBody(options, id, program, windowSize()));
  const auto launched = co_await launch(agent, id, std::move(body));
  if (!launched) {
    printError(launched.error());
    co_return launchFailureCode(launched.error());
  }
  if (options.detach) {
    print(format == Format::Json ? json{{"id", id}}.dump() + "\n" : id + "\n");
    co_return 0;
  }
  co_return co_await runAttached(std::move(agent), std::move(options), std::move(id));
}

Outcome exec(AgentClient agent, ExecOptions options) {
  CO_TRY_VOID(checkTerminal(options.terminal, options.interactive));
  CO_TRY(const std::string id, randomId());
  CO_TRY(std::string body, sessionBody(options, id, windowSize()));
  auto output = co_await agent.stream("POST", containerPath(options.container) + "/sessions", std::move(body));
  if (!output) {
    printError(output.error());
    co_return launchFailureCode(output.error());
  }
  // Asked for at once: a session is forgotten some time after its end.
  const async::Executor executor = co_await async::currentExecutor();
  async::Scope scope(executor);
  const auto ending = std::make_shared<Result<Ending>>(Ending());
  scope.spawn(awaitEnding(agent, waitSessionCall(id, options.container), ending));
  AttachOptions attached{id, options.container, options.interactive, options.terminal};
  const auto end = co_await attach(std::move(agent), std::move(*output), std::move(attached));
  if (!end || *end == AttachEnd::Detached) scope.cancel();
  co_await scope.join();
  if (!end) co_return end.error();
  if (*end == AttachEnd::Detached) co_return 0;
  if (!*ending) co_return ending->error();
  co_return finish(**ending);
}

}  // namespace gantry::cli
