// gantry-fetcher: brings one image into a store. The request is one JSON object on standard input; the answer is lines
// of JSON on standard output (messages.hpp). Logs go to standard error. Exit status 0 with an image, 1 without.

#include <unistd.h>

#include <clocale>
#include <csignal>
#include <cstdio>

#include "base/log.hpp"
#include "fetcher/messages.hpp"
#include "fetcher/pull/pull.hpp"
#include "kernel/file.hpp"

namespace gantry::fetcher {
namespace {

// A line that nobody reads means that nobody wants the image any more: SIGPIPE ends us, and our children with us.
void say(const Answer& answer) {
  const std::string line = toJson(answer) + "\n";
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fflush(stdout);
}

Result<Image> answer(const std::string& input) {
  TRY(const PullRequest request, parsePullRequest(input));
  return pull(request, [](const Progress& progress) { say(progress); });
}

int run() {
  std::signal(SIGPIPE, SIG_DFL);
  // libarchive converts names to the locale's character set; in this one it leaves them alone.
  std::setlocale(LC_CTYPE, "C.UTF-8");
  constexpr std::size_t kMaxRequest = 1U << 20U;
  const kernel::Fd input(STDIN_FILENO);
  auto text = kernel::readAll(input, kMaxRequest);
  auto image = text ? answer(*text) : std::move(text).error().under("read the request");
  if (!image) {
    say(image.error());
    return 1;
  }
  say(*std::move(image));
  return 0;
}

}  // namespace
}  // namespace gantry::fetcher

int main() {
  return gantry::fetcher::run();
}
