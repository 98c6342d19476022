#include "async/event.hpp"

#include "async/waiting.hpp"

namespace gantry::async {

struct Event::State {
  explicit State(const Executor& executor) : changed(wakeUp(executor)) {}
  bool happened = false;
  Timer changed;
};

Event::Event(Executor executor) : state_(std::make_shared<State>(executor)) {}

void Event::set() const {
  state_->happened = true;
  state_->changed.cancel();
}

bool Event::isSet() const {
  return state_->happened;
}

Task<Result<void>> Event::wait() const {
  return waitOn(state_);
}

Task<Result<void>> Event::waitOn(std::shared_ptr<State> state) {
  if (!state->happened) co_await waitFor(&state->changed);
  if (!state->happened) co_return cancelledError();
  co_return Result<void>();
}

struct Notification::State {
  explicit State(const Executor& executor) : changed(wakeUp(executor)) {}
  std::uint64_t count = 0;
  Timer changed;
};

Notification::Notification(Executor executor) : state_(std::make_shared<State>(executor)) {}

void Notification::notify() const {
  ++state_->count;
  state_->changed.cancel();
}

std::uint64_t Notification::count() const {
  return state_->count;
}

Task<Result<std::uint64_t>> Notification::after(std::uint64_t seen) const {
  return waitAfter(state_, seen);
}

Task<Result<std::uint64_t>> Notification::waitAfter(std::shared_ptr<State> state, std::uint64_t seen) {
  if (state->count <= seen) co_await waitFor(&state->changed);
  if (state->count <= seen) co_return cancelledError();
  co_return state->count;
}

}  // namespace gantry::async
