#include "async/waiting.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace gantry::async {

namespace this_coro = boost::asio::this_coro;

Task<Executor> currentExecutor() {
  co_return co_await this_coro::executor;
}

Task<bool> isCancelled() {
  const auto state = co_await this_coro::cancellation_state;
  co_return state.cancelled() != boost::asio::cancellation_type::none;
}

Task<> waitFor(Timer* timer) {
  // A cancellation that came while nothing was waited for is remembered in the state but interrupts no later wait.
  const bool already = co_await isCancelled();
  if (already) co_return;
  boost::system::error_code interrupted;
  auto token = boost::asio::redirect_error(boost::asio::use_awaitable, interrupted);
  co_await timer->async_wait(token);
}

Task<> waitShielded(Timer* timer) {
  boost::system::error_code interrupted;
  auto token = boost::asio::bind_cancellation_slot(
      boost::asio::cancellation_slot(), boost::asio::redirect_error(boost::asio::use_awaitable, interrupted));
  co_await timer->async_wait(token);
}

Error cancelledError() {
  return Error(Code::Cancelled, "cancelled");
}

}  // namespace gantry::async
