#include "fetcher/client.hpp"

#include <memory>
#include <optional>

#include <fmt/format.h>

#include "async/process.hpp"
#include "base/log.hpp"

namespace gantry::fetcher {
namespace {

// A line carries at most an image's configuration and its layers.
constexpr std::size_t kMaxLine = 64U << 20U;

// The variables libcurl and the resolver look at; nothing else of our environment concerns the program.
std::vector<std::string> environment() {
  std::vector<std::string> variables;
  for (const char* name : {"PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "http_proxy", "https_proxy", "HTTPS_PROXY",
                           "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"}) {
    if (const char* value = std::getenv(name)) variables.push_back(fmt::format("{}={}", name, value));
  }
  return variables;
}

}  // namespace

async::Task<Result<Image>> FetcherProgram::pull(PullRequest request, ProgressSink progress) {
  auto last = std::make_shared<std::optional<Result<Image>>>();
  kernel::Command command;
  command.program = program_;
  command.environment = environment();
  async::RunOptions options;
  options.input = toJson(request);
  options.outputLimit = kMaxLine;
  options.onLine = [last, progress = std::move(progress)](std::string_view line) {
    auto answer = parseAnswer(line);
    if (!answer) {
      *last = std::move(answer).error();
    } else if (const auto* step = std::get_if<Progress>(&*answer)) {
      if (progress) progress(*step);
    } else if (auto* image = std::get_if<Image>(&*answer)) {
      *last = std::move(*image);
    } else {
      *last = std::get<Error>(*std::move(answer));
    }
  };
  options.onErrorLine = [](std::string_view line) { log::info("fetcher", {{"says", line}}); };
  CO_TRY(const auto output, co_await async::run(std::move(command), std::move(options)));
  if (*last) co_return std::move(**last);
  co_return Error(Code::Internal,
                  fmt::format("{} {} without an answer", program_, kernel::describeWaitStatus(output.status)));
}

}  // namespace gantry::fetcher
