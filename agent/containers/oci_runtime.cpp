#include "agent/containers/oci_runtime.hpp"

#include <chrono>
#include <optional>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "async/process.hpp"

namespace gantry::agent {
namespace {

// A runtime that takes longer hangs. Removing waits for every process of the container to die.
constexpr async::Duration kDeadline = std::chrono::seconds(60);

std::optional<std::string> messageOf(std::string_view line) {
  const auto document = nlohmann::json::parse(line, nullptr, false);
  if (document.is_object() && document.contains("msg") && document["msg"].is_string()) {
    return document["msg"].get<std::string>();
  }
  constexpr std::string_view kKey = " msg=\"";
  const std::size_t start = line.find(kKey);
  if (start == std::string_view::npos) return {};
  std::string text;
  for (std::size_t i = start + kKey.size(); i < line.size() && line[i] != '"'; ++i) {
    if (line[i] == '\\' && i + 1 < line.size()) ++i;
    text += line[i];
  }
  return text;
}

}  // namespace

std::string runtimeSentence(std::string_view output, std::string_view program) {
  while (output.ends_with('\n')) output.remove_suffix(1);
  std::string_view line = output.substr(output.rfind('\n') + 1);
  if (auto message = messageOf(line)) return *message;
  const std::string prefix = fmt::format("{}: ", program.substr(program.rfind('/') + 1));
  if (line.starts_with(prefix)) line.remove_prefix(prefix.size());
  return std::string(line);
}

async::Task<Result<void>> RuntimeProgram::call(std::vector<std::string> arguments) {
  const std::string purpose = fmt::format("runtime {}", arguments.front());
  kernel::Command command{.program = program_,
                          .arguments = {"--root", root_, "--log-format", "json"},
                          .environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}};
  command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
  async::RunOptions options{.deadline = kDeadline};
  auto ran = co_await async::run(std::move(command), std::move(options));
  if (!ran) co_return std::move(ran).error().under(purpose);
  if (ran->succeeded()) co_return Result<void>();
  std::string sentence = runtimeSentence(ran->err, program_);
  if (sentence.empty()) sentence = fmt::format("{}: {}", purpose, kernel::describeWaitStatus(ran->status));
  co_return Error(Code::Unavailable, std::move(sentence));
}

async::Task<Result<void>> RuntimeProgram::start(ContainerId id) {
  std::vector<std::string> arguments{"start", id.text()};
  co_return co_await call(std::move(arguments));
}

async::Task<Result<void>> RuntimeProgram::remove(ContainerId id) {
  std::vector<std::string> arguments{"delete", "--force", id.text()};
  co_return co_await call(std::move(arguments));
}

}  // namespace gantry::agent
