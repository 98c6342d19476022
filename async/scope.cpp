#include "async/scope.hpp"

#include <exception>
#include <list>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include "async/waiting.hpp"

namespace gantry::async {
namespace {

// Turns off Asio's own way of cancelling, an exception from the next co_await, and lets spawn() return first.
Task<> begin(Task<> child) {
  co_await boost::asio::this_coro::throw_if_cancelled(false);
  co_await yield();
  co_await std::move(child);
}

// A child ends without an exception, or was cancelled before it began.
void ensureNoException(const std::exception_ptr& thrown) {
  if (!thrown) return;
  try {
    std::rethrow_exception(thrown);
  } catch (const boost::system::system_error& error) {
    ENSURE(error.code() == boost::asio::error::operation_aborted, error.what());
  } catch (const std::exception& error) {
    ENSURE(false, error.what());
  }
}

}  // namespace

struct Scope::State {
  explicit State(Executor ex) : executor(std::move(ex)), changed(wakeUp(executor)) {}

  Executor executor;
  std::list<boost::asio::cancellation_signal> children;
  bool cancelled = false;
  // Woken when the last child has ended.
  Timer changed;
};

Scope::Scope(Executor executor) : state_(std::make_shared<State>(std::move(executor))) {}

Scope::~Scope() {
  ENSURE(state_->children.empty(), "a Scope was destroyed while its children live");
}

void Scope::spawn(Task<> child) {
  const auto signal = state_->children.emplace(state_->children.end());
  auto whenDone = [state = state_, signal](const std::exception_ptr& thrown) {
    ensureNoException(thrown);
    state->children.erase(signal);
    if (state->children.empty()) state->changed.cancel();
  };
  boost::asio::co_spawn(state_->executor, begin(std::move(child)),
                        boost::asio::bind_cancellation_slot(signal->slot(), std::move(whenDone)));
  if (state_->cancelled) signal->emit(boost::asio::cancellation_type::terminal);
}

void Scope::cancel() {
  state_->cancelled = true;
  // emit() may run nothing of the children inline: every wait completes through the loop.
  for (auto& signal : state_->children) signal.emit(boost::asio::cancellation_type::terminal);
}

bool Scope::isCancelled() const {
  return state_->cancelled;
}

Task<> Scope::join() {
  state_->changed.expires_at(Timer::time_point::max());
  while (!state_->children.empty()) {
    co_await waitFor(&state_->changed);
    const bool stopped = co_await async::isCancelled();
    if (!stopped) continue;
    cancel();
    co_await joinShielded();
  }
}

Task<bool> Scope::joinWithin(Duration limit) {
  const auto deadline = Timer::clock_type::now() + std::chrono::duration_cast<Timer::duration>(limit);
  while (!state_->children.empty()) {
    const bool stopped = co_await async::isCancelled();
    if (stopped || Timer::clock_type::now() >= deadline) {
      cancel();
      co_await joinShielded();
      co_return false;
    }
    state_->changed.expires_at(deadline);
    co_await waitFor(&state_->changed);
  }
  co_return true;
}

Task<> Scope::joinShielded() {
  state_->changed.expires_at(Timer::time_point::max());
  while (!state_->children.empty()) co_await waitShielded(&state_->changed);
}

std::size_t Scope::live() const {
  return state_->children.size();
}

const Executor& Scope::executor() const {
  return state_->executor;
}

namespace detail {

Task<bool> finishWithin(Duration limit, Task<> work) {
  const Executor executor = co_await currentExecutor();
  Scope scope(executor);
  scope.spawn(std::move(work));
  co_return co_await scope.joinWithin(limit);
}

Task<> finishShielded(Task<> work) {
  const Executor executor = co_await currentExecutor();
  Scope scope(executor);
  scope.spawn(std::move(work));
  co_await scope.joinShielded();
}

Task<> finishAll(std::vector<Task<>> work) {
  const Executor executor = co_await currentExecutor();
  Scope scope(executor);
  for (Task<>& task : work) scope.spawn(std::move(task));
  co_await scope.join();
}

}  // namespace detail

}  // namespace gantry::async
