// gantry-fetcher: brings one image into a store, or what some URIs name into a task's sandbox. The request is one JSON
// object on standard input; the answer is lines of JSON on standard output (messages.hpp, uri_messages.hpp). Logs go to
// standard error. Exit status 0 when all is there, 1 when it is not.

#include <unistd.h>

#include <clocale>
#include <csignal>
#include <cstdio>

#include "fetcher/messages.hpp"
#include "fetcher/pull/pull.hpp"
#include "fetcher/uri_messages.hpp"
#include "fetcher/uris/fetch.hpp"
#include "kernel/file.hpp"

namespace gantry::fetcher {
namespace {

// A line that nobody reads means that nobody wants the image any more: SIGPIPE ends us, and our children with us.
void say(const std::string& answer) {
  const std::string line = answer + "\n";
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fflush(stdout);
}

Result<Answer> pullImage(const std::string& input) {
  TRY(const PullRequest request, parsePullRequest(input));
  TRY(Image image, pull(request, [](const Progress& progress) { say(toJson(Answer(progress))); }));
  return Answer(std::move(image));
}

Result<UriAnswer> fetchFiles(const std::string& input) {
  TRY(const UriRequest request, parseUriRequest(input));
  TRY(const FetchedUris fetched,
      fetchUris(request, [](const UriProgress& progress) { say(toJson(UriAnswer(progress))); }));
  return UriAnswer(fetched);
}

Result<std::string> answer(const std::string& input) {
  if (isUriRequest(input)) {
    TRY(const UriAnswer fetched, fetchFiles(input));
    return toJson(fetched);
  }
  TRY(const Answer pulled, pullImage(input));
  return toJson(pulled);
}

int run() {
  std::signal(SIGPIPE, SIG_DFL);
  // libarchive converts names to the locale's character set; in this one it leaves them alone.
  std::setlocale(LC_CTYPE, "C.UTF-8");
  constexpr std::size_t kMaxRequest = 4U << 20U;
  const kernel::Fd input(STDIN_FILENO);
  auto text = kernel::readAll(input, kMaxRequest);
  const auto answered = text ? answer(*text) : std::move(text).error().under("read the request");
  say(answered ? *answered : toJson(Answer(answered.error())));
  return answered ? 0 : 1;
}

}  // namespace
}  // namespace gantry::fetcher

int main() {
  return gantry::fetcher::run();
}
