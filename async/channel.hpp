// A bounded queue between coroutines: the sender waits while it is full, the receiver while it is empty.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>

#include "async/event.hpp"

namespace gantry::async {

// Copies are the same channel. Any number of senders and receivers. Only used on the loop's thread.
template <typename T>
class Channel {
 public:
  Channel(Executor executor, std::size_t capacity) : state_(std::make_shared<State>(std::move(executor), capacity)) {}

  // Fails with Cancelled, or with Unavailable once the channel was closed.
  Task<Result<void>> send(T value) const { return sendTo(state_, std::move(value)); }
  // False when it is full or closed.
  bool trySend(T value) const {
    if (state_->closed || state_->queue.size() >= state_->capacity) return false;
    state_->queue.push_back(std::move(value));
    state_->changed.notify();
    return true;
  }
  // Nothing once the channel is closed and empty. Fails with Cancelled only.
  Task<Result<std::optional<T>>> receive() const { return receiveFrom(state_); }
  // No more is sent; what is queued is still received.
  void close() const {
    state_->closed = true;
    state_->changed.notify();
  }

 private:
  struct State {
    State(Executor executor, std::size_t limit) : capacity(limit), changed(std::move(executor)) {}
    std::size_t capacity;
    std::deque<T> queue;
    bool closed = false;
    Notification changed;
  };

  static Task<Result<void>> sendTo(std::shared_ptr<State> state, T value) {
    while (!state->closed && state->queue.size() >= state->capacity) {
      CO_TRY_VOID(co_await state->changed.after(state->changed.count()));
    }
    if (state->closed) co_return Error(Code::Unavailable, "the channel is closed");
    state->queue.push_back(std::move(value));
    state->changed.notify();
    co_return Result<void>();
  }

  static Task<Result<std::optional<T>>> receiveFrom(std::shared_ptr<State> state) {
    while (state->queue.empty()) {
      if (state->closed) co_return std::optional<T>();
      CO_TRY_VOID(co_await state->changed.after(state->changed.count()));
    }
    std::optional<T> value(std::move(state->queue.front()));
    state->queue.pop_front();
    state->changed.notify();
    co_return value;
  }

  std::shared_ptr<State> state_;
};

}  // namespace gantry::async
