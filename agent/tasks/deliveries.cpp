#include "agent/tasks/deliveries.hpp"

#include <algorithm>
#include <utility>

#include "async/scope.hpp"
#include "async/time.hpp"

namespace gantry::agent::tasks {

Deliveries::Deliveries(async::Executor executor, Duration first, Duration longest)
    : first_(first), longest_(longest), sooner_(std::move(executor)) {}

void Deliveries::connect(UpdateSink& sink) {
  disconnect();
  sink_ = &sink;
}

void Deliveries::disconnect() {
  sink_ = nullptr;
  waiting_.clear();
  due_.clear();
}

void Deliveries::look(Journal& journal) {
  const TaskStatus* const head = journal.head();
  const auto waiting = waiting_.find(&journal);
  if (head != nullptr && waiting != waiting_.end() && waiting->second.uuid == head->uuid) return;
  sendAgain(journal);
}

void Deliveries::sendAgain(Journal& journal) {
  forget(journal);
  const TaskStatus* const head = journal.head();
  if (sink_ != nullptr && head != nullptr) send(journal, *head, first_);
}

void Deliveries::forget(Journal& journal) {
  const auto waiting = waiting_.find(&journal);
  if (waiting == waiting_.end()) return;
  due_.erase(waiting->second.due);
  waiting_.erase(waiting);
}

void Deliveries::sendOnce(const StatusUpdate& update) {
  if (sink_ != nullptr) sink_->send(update);
}

void Deliveries::send(Journal& journal, const TaskStatus& status, Duration delay) {
  const Time due = std::chrono::steady_clock::now() + std::chrono::duration_cast<Time::duration>(delay);
  const bool isSooner = due_.empty() || due < due_.begin()->first;
  waiting_[&journal] = {.uuid = status.uuid, .delay = delay, .due = due_.emplace(due, &journal)};
  if (isSooner) sooner_.notify();
  journal.sent(status);
  sink_->send({.framework = journal.framework(),
               .task = journal.task(),
               .executor = journal.task(),
               .status = status,
               .latestState = journal.writtenState()});
}

async::Task<> Deliveries::run() {
  while (true) {
    const std::uint64_t seen = sooner_.count();
    async::Task<Result<std::uint64_t>> sooner = sooner_.after(seen);
    if (due_.empty()) {
      const auto came = co_await std::move(sooner);
      if (!came) co_return;
      continue;
    }
    const Duration left = std::max<Duration>(due_.begin()->first - std::chrono::steady_clock::now(), Duration(0));
    const auto came = co_await async::withTimeout(left, std::move(sooner));
    if (!came && came.error().code() == Code::Cancelled) co_return;
    sendDue();
  }
}

void Deliveries::sendDue() {
  const Time now = std::chrono::steady_clock::now();
  while (sink_ != nullptr && !due_.empty() && due_.begin()->first <= now) {
    Journal& journal = *due_.begin()->second;
    const Duration delay = std::min(waiting_.at(&journal).delay * 2, longest_);
    forget(journal);
    const TaskStatus* const head = journal.head();
    if (head != nullptr) send(journal, *head, delay);
  }
}

}  // namespace gantry::agent::tasks
