// ps, inspect, logs, stop, kill and rm.
#include <fmt/format.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <vector>

#include "async/scope.hpp"
#include "cli/attach.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "cli/specs.hpp"
#include "cli/text.hpp"

namespace gantry::cli {
namespace {

using json = nlohmann::ordered_json;

Result<json> parseAnswer(const std::string& text) {
  json document = json::parse(text, nullptr, false);
  if (!document.is_object()) return Error(Code::Internal, "the agent's answer is not JSON");
  return document;
}

std::string commandText(const json& container) {
  std::string text;
  for (const json& word : container.value("command", json::array())) {
    if (!text.empty()) text += ' ';
    text += word.get<std::string>();
  }
  return text;
}

std::string statusText(const json& container) {
  const auto now = std::chrono::system_clock::now();
  const auto since = [&container, now](const char* member) {
    const auto time = parseTime(container.value(member, ""));
    return time ? age(now - *time) : std::string("some time");
  };
  const std::string phase = container.value("phase", "");
  if (phase == "Running") return "Up " + since("started");
  if (phase != "Exited") return phase;
  const json exit = container.value("exit", json::object());
  const std::string code = exit.contains("code") ? fmt::format("{}", exit["code"].get<int>()) : "?";
  return fmt::format("Exited ({}) {} ago", code, since("finished"));
}

std::string networkText(const json& container) {
  std::vector<std::string> parts;
  for (const json& network : container.value("networks", json::array())) {
    for (const json& address : network.value("addresses", json::array())) parts.push_back(address.get<std::string>());
    for (const json& port : network.value("port_mappings", json::array())) {
      parts.push_back(fmt::format("{}->{}/{}", port.value("host_port", 0), port.value("container_port", 0),
                                  port.value("protocol", "tcp")));
    }
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string psTable(const json& containers) {
  const auto now = std::chrono::system_clock::now();
  std::vector<std::vector<std::string>> rows = {{"CONTAINER", "IMAGE", "COMMAND", "CREATED", "STATUS", "NETWORK"}};
  for (const json& container : containers) {
    const auto created = parseTime(container.value("created", ""));
    rows.push_back({container.value("id", ""), container.value("image", "-"), shortened(commandText(container), 30),
                    created ? age(now - *created) + " ago" : "", statusText(container), networkText(container)});
  }
  return table(rows);
}

std::string callOn(const char* type, const char* part, const std::string& id, const json& more = json::object()) {
  json details = {{"container_id", json::parse(containerIdJson(id))}};
  details.update(more);
  return json{{"type", type}, {part, std::move(details)}}.dump();
}

async::Task<Result<void>> killOne(AgentClient agent, std::string id, int signal) {
  std::string call = callOn("KILL_CONTAINER", "kill_container", id, {{"signal", signal}});
  auto answer = co_await agent.call(std::move(call));
  if (!answer) co_return std::move(answer).error();
  co_return Result<void>();
}

async::Task<Result<std::string>> waitOne(AgentClient agent, std::string id) {
  std::string call = callOn("WAIT_CONTAINER", "wait_container", id);
  co_return co_await agent.call(std::move(call));
}

// What the container's image wants to be ended with.
int stopSignalOf(const std::string& inspected) {
  const json container = json::parse(inspected, nullptr, false);
  return container.is_object() ? container.value("stop_signal", SIGTERM) : SIGTERM;
}

async::Task<Result<void>> stopOne(AgentClient agent, std::string id, async::Duration grace) {
  if (grace.count() > 0) {
    std::string path = containerPath(id);
    CO_TRY(const std::string inspected, co_await agent.get(std::move(path)));
    const int signal = stopSignalOf(inspected);
    CO_TRY_VOID(co_await killOne(agent, id, signal));
    auto waiting = waitOne(agent, id);
    const auto ended = co_await async::withTimeout(grace, std::move(waiting));
    if (ended) co_return Result<void>();
    if (ended.error().code() != Code::Timeout) co_return ended.error();
  }
  CO_TRY_VOID(co_await killOne(agent, id, SIGKILL));
  const auto ended = co_await waitOne(std::move(agent), std::move(id));
  if (!ended) co_return ended.error();
  co_return Result<void>();
}

async::Task<Result<void>> removeOne(AgentClient agent, std::string id, bool force) {
  std::string path = containerPath(id) + (force ? "?force=true" : "");
  co_return co_await agent.remove(std::move(path));
}

// Names what was done, one line for each container; an error does not keep the others from their turn.
int report(const std::string& id, const Result<void>& done, Format format, const char* verb) {
  if (!done) {
    printError(done.error());
    return kOwnFailure;
  }
  print(format == Format::Json ? json{{"id", id}, {"result", verb}}.dump() + "\n" : id + "\n");
  return 0;
}

// A line for each piece of output, as JSON.
async::Task<Result<void>> printRecords(http::ExchangePtr output) {
  http::RecordReader records(output->body());
  while (true) {
    CO_TRY(const auto text, co_await records.next());
    if (!text) co_return Result<void>();
    CO_TRY(const OutputRecord record, parseOutputRecord(*text));
    if (record.data.empty()) continue;
    const json line = {{"stream", record.isError ? "stderr" : "stdout"}, {"data", record.data}};
    print(line.dump(-1, ' ', false, json::error_handler_t::replace) + "\n");
  }
}

}  // namespace

std::string containerPath(const std::string& id) {
  return "/gantry/v1/containers/" + http::percentEncode(id);
}

Outcome ps(AgentClient agent, PsOptions options, Format format) {
  std::string target = std::string("/gantry/v1/containers") + (options.all ? "?all=true" : "");
  CO_TRY(const std::string answer, co_await agent.get(std::move(target)));
  CO_TRY(const json document, parseAnswer(answer));
  const json containers = document.value("containers", json::array());
  if (options.quiet) {
    for (const json& container : containers) print(container.value("id", "") + "\n");
  } else {
    print(format == Format::Json ? containers.dump(2) + "\n" : psTable(containers));
  }
  co_return 0;
}

Outcome inspect(AgentClient agent, InspectOptions options) {
  json found = json::array();
  int code = 0;
  for (const std::string& id : options.containers) {
    const auto answer = co_await agent.get(containerPath(id));
    if (!answer) {
      printError(answer.error());
      code = kOwnFailure;
      continue;
    }
    CO_TRY(json document, parseAnswer(*answer));
    found.push_back(std::move(document));
  }
  print(found.dump(2) + "\n");
  co_return code;
}

Outcome logs(AgentClient agent, LogsOptions options, Format format) {
  std::string target = containerPath(options.container) + "/logs?follow=" + (options.follow ? "true" : "false");
  if (options.tail) target += fmt::format("&tail={}", *options.tail);
  CO_TRY(auto output, co_await agent.stream("GET", std::move(target), ""));
  if (format == Format::Json) {
    CO_TRY_VOID(co_await printRecords(std::move(output)));
    co_return 0;
  }
  const async::Executor executor = co_await async::currentExecutor();
  CO_TRY(auto streams, standardStreams(executor));
  CO_TRY_VOID(co_await copyOutput(std::move(output), std::move(streams)));
  co_return 0;
}

Outcome stop(AgentClient agent, StopOptions options, Format format) {
  int code = 0;
  for (const std::string& id : options.containers) {
    const auto stopped = co_await stopOne(agent, id, options.grace);
    code = std::max(code, report(id, stopped, format, "stopped"));
  }
  co_return code;
}

Outcome kill(AgentClient agent, KillOptions options, Format format) {
  CO_TRY(const int signal, parseSignal(options.signal));
  int code = 0;
  for (const std::string& id : options.containers) {
    const auto killed = co_await killOne(agent, id, signal);
    code = std::max(code, report(id, killed, format, "killed"));
  }
  co_return code;
}

Outcome rm(AgentClient agent, RmOptions options, Format format) {
  int code = 0;
  for (const std::string& id : options.containers) {
    const auto removed = co_await removeOne(agent, id, options.force);
    code = std::max(code, report(id, removed, format, "removed"));
  }
  co_return code;
}

}  // namespace gantry::cli
