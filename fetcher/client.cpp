#include "fetcher/client.hpp"

#include <memory>
#include <optional>

#include <fmt/format.h>

#include "fetcher/program.hpp"

namespace gantry::fetcher {

async::Task<Result<Image>> FetcherProgram::pull(PullRequest request, ProgressSink progress) {
  auto last = std::make_shared<std::optional<Result<Image>>>();
  std::function<void(std::string_view)> onLine = [last, progress = std::move(progress)](std::string_view line) {
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
  std::string input = toJson(request);
  CO_TRY(const std::string ended, co_await runProgram(program_, std::move(input), std::move(onLine)));
  if (*last) co_return std::move(**last);
  co_return Error(Code::Internal, fmt::format("{} without an answer", ended));
}

}  // namespace gantry::fetcher
