#include "fetcher/program.hpp"

#include <cstdlib>

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
                           "ftp_proxy", "FTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"}) {
    if (const char* value = std::getenv(name)) variables.push_back(fmt::format("{}={}", name, value));
  }
  return variables;
}

}  // namespace

async::Task<Result<std::string>> runProgram(std::string program, std::string request,
                                            std::function<void(std::string_view line)> onLine) {
  kernel::Command command;
  command.program = program;
  command.environment = environment();
  async::RunOptions options;
  options.input = std::move(request);
  options.outputLimit = kMaxLine;
  options.onLine = std::move(onLine);
  options.onErrorLine = [](std::string_view line) { log::info("fetcher", {{"says", line}}); };
  CO_TRY(const auto output, co_await async::run(std::move(command), std::move(options)));
  co_return fmt::format("{} {}", program, kernel::describeWaitStatus(output.status));
}

}  // namespace gantry::fetcher
