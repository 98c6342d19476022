#include "async/time.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fmt/format.h>

#include "async/waiting.hpp"

namespace gantry::async {

Task<Result<void>> sleep(Duration duration) {
  const Executor executor = co_await currentExecutor();
  Timer timer(executor, std::chrono::duration_cast<Timer::duration>(duration));
  co_await waitFor(&timer);
  const bool stopped = co_await isCancelled();
  if (stopped) co_return cancelledError();
  co_return Result<void>();
}

Task<> yield() {
  const Executor executor = co_await currentExecutor();
  auto token = boost::asio::use_awaitable_t<Executor>();
  co_await boost::asio::post(executor, token);
}

Task<> never() {
  const Executor executor = co_await currentExecutor();
  Timer timer = wakeUp(executor);
  co_await waitFor(&timer);
}

std::string toString(Duration duration) {
  using namespace std::chrono_literals;
  const auto count = static_cast<double>(duration.count());
  if (duration >= 1s) return fmt::format("{:g}s", count / 1e9);
  if (duration >= 1ms) return fmt::format("{:g}ms", count / 1e6);
  return fmt::format("{:g}us", count / 1e3);
}

}  // namespace gantry::async
