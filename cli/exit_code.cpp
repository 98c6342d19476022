#include "cli/exit_code.hpp"

#include <sys/wait.h>

#include <nlohmann/json.hpp>

namespace gantry::cli {

Result<Ending> parseEnding(const std::string& waitResponse) {
  using nlohmann::json;
  const json response = json::parse(waitResponse, nullptr, false);
  const std::string type = response.is_object() ? response.value("type", "") : "";
  const char* part = type == "WAIT_NESTED_CONTAINER" ? "wait_nested_container" : "wait_container";
  if (!response.is_object() || !response.contains(part) || !response[part].is_object()) {
    return Error(Code::InvalidArgument, "the agent's answer does not say how the container ended");
  }
  const json& details = response[part];
  Ending ending;
  const auto status = details.find("exit_status");
  const bool isKnown = status != details.end() && status->is_number_integer();
  if (isKnown) {
    const int raw = status->get<int>();
    ending.code = WIFSIGNALED(raw) ? 128 + WTERMSIG(raw) : WEXITSTATUS(raw);
  }
  // A program that was ended by a limit or the agent's hand deserves a word; one that ended by itself does not.
  if (!isKnown || details.contains("reason")) ending.message = details.value("message", "");
  return ending;
}

int launchFailureCode(const Error& error) {
  const std::string& message = error.message();
  const auto says = [&message](const char* words) { return message.find(words) != std::string::npos; };
  if (says("executable file not found") || says("no such file or directory")) return 127;
  if (says("permission denied") || says("is a directory") || says("exec format error")) return 126;
  return kOwnFailure;
}

}  // namespace gantry::cli
