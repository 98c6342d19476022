#include "async/run.hpp"

#include <csignal>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "async/waiting.hpp"

namespace gantry::async {
namespace detail {

void driveUntilDone(Loop& loop, Task<> work) {
  ::signal(SIGPIPE, SIG_IGN);
  Scope scope(loop.get_executor());
  scope.spawn(std::move(work));
  loop.restart();
  while (scope.live() > 0) {
    ENSURE(loop.run_one() > 0, "the loop has nothing to do, but its work has not ended");
  }
}

}  // namespace detail

struct Signals::State {
  explicit State(const Executor& executor) : set(executor) {}
  boost::asio::signal_set set;
};

namespace {

Task<Result<int>> waitForSignal(std::shared_ptr<boost::asio::signal_set> set) {
  const bool already = co_await isCancelled();
  if (already) co_return cancelledError();
  boost::system::error_code failure;
  auto token = boost::asio::redirect_error(boost::asio::use_awaitable, failure);
  const int number = co_await set->async_wait(token);
  if (failure) co_return cancelledError();
  co_return number;
}

}  // namespace

Signals::Signals(Executor executor, std::initializer_list<int> numbers) : state_(std::make_shared<State>(executor)) {
  for (const int number : numbers) state_->set.add(number);
}

Signals::Signals(Signals&&) noexcept = default;
Signals& Signals::operator=(Signals&&) noexcept = default;

Signals::~Signals() {
  if (state_) state_->set.cancel();
}

Task<Result<int>> Signals::next() const {
  return waitForSignal(std::shared_ptr<boost::asio::signal_set>(state_, &state_->set));
}

}  // namespace gantry::async
