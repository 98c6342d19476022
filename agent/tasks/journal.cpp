#include "agent/tasks/journal.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "async/time.hpp"
#include "base/log.hpp"

namespace gantry::agent::tasks {
namespace {

// Between two tries to write to a database that fails, from the first, doubled, to the longest.
constexpr async::Duration kFirstPause = std::chrono::milliseconds(100);
constexpr async::Duration kLongestPause = std::chrono::seconds(10);

}  // namespace

Journal::Journal(Parts& parts, state::TaskRecord record, std::function<std::vector<state::Change>()> prelude)
    : parts_(parts), record_(std::move(record)), prelude_(std::move(prelude)), progressed_(parts.scope.executor()) {}

Result<std::shared_ptr<Journal>> Journal::restore(Parts& parts, state::TaskRecord record,
                                                  const std::vector<state::StatusRecord>& statuses) {
  auto journal = std::make_shared<Journal>(parts, std::move(record), nullptr);
  journal->isRecorded_ = true;
  journal->record_.request = std::string();
  for (const state::StatusRecord& each : statuses) {
    auto status = parseStatus(each.status);
    if (!status) return std::move(status).error().under(fmt::format("status {}", each.position));
    if (each.position != static_cast<std::int64_t>(journal->entries_.size())) {
      return gantry::Error::invalid("position", fmt::format("there is no status {}", journal->entries_.size()));
    }
    journal->entries_.push_back({.status = *std::move(status),
                                 .acknowledged = each.acknowledged,
                                 .isWritten = true,
                                 .isAcknowledgementWritten = each.acknowledged});
  }
  journal->markWritten(journal->entries_.size(), {});
  if (journal->settled_ > 0) journal->sent(journal->entries_[journal->settled_ - 1].status);
  return journal;
}

void Journal::keep() {
  changed();
}

void Journal::note(const Progress& progress) {
  record_.progress = toJson(progress);
  isProgressWritten_ = false;
  changed();
}

void Journal::append(TaskStatus status, bool isTold) {
  ENSURE(!hasEnded(), "a task that has ended cannot get another status");
  entries_.push_back({.status = std::move(status), .acknowledged = !isTold});
  changed();
}

Result<void> Journal::acknowledge(const std::string& uuid) {
  const TaskStatus* const waiting = head();
  if (waiting == nullptr || waiting->uuid != uuid) {
    return gantry::Error(Code::NotFound, "it is not for the update that waits");
  }
  entries_[settled_].acknowledged = true;
  changed();
  return {};
}

void Journal::acknowledgeAll() {
  for (Entry& entry : entries_) entry.acknowledged = true;
  changed();
}

async::Task<Result<void>> Journal::written() {
  const auto self = shared_from_this();
  const std::uint64_t wanted = changes_;
  while (changesWritten_ < wanted) {
    CO_TRY_VOID(co_await progressed_.after(progressed_.count()));
  }
  co_return Result<void>();
}

const TaskStatus* Journal::head() const {
  if (settled_ == entries_.size()) return nullptr;
  const Entry& entry = entries_[settled_];
  return entry.isWritten && !entry.acknowledged ? &entry.status : nullptr;
}

TaskState Journal::writtenState() const {
  const auto found =
      std::find_if(entries_.rbegin(), entries_.rend(), [](const Entry& entry) { return entry.isWritten; });
  return found == entries_.rend() ? TaskState::Staging : found->status.state;
}

bool Journal::isAcknowledged() const {
  return hasEnded() && std::ranges::all_of(entries_, [](const Entry& entry) { return entry.acknowledged; });
}

bool Journal::isClosed() const {
  return hasEnded() && settled_ == entries_.size();
}

std::vector<TaskStatus> Journal::history() const {
  std::vector<TaskStatus> statuses;
  for (const Entry& entry : entries_) {
    if (!statuses.empty() && statuses.back().state == entry.status.state) statuses.pop_back();
    statuses.push_back(entry.status);
  }
  return statuses;
}

void Journal::sent(const TaskStatus& status) {
  sentState_ = status.state;
  sentUuid_ = status.uuid;
}

void Journal::changed() {
  ++changes_;
  if (std::exchange(isWriting_, true)) return;
  parts_.scope.spawn(write(shared_from_this()));
}

// `self` is held from the call on: a closed journal may be let go before this begins.
async::Task<> Journal::write(std::shared_ptr<Journal> self) {
  co_await self->write();
}

// Until there is nothing more to write.
async::Task<> Journal::write() {
  async::Duration pause = kFirstPause;
  while (changesWritten_ < changes_) {
    const std::uint64_t upTo = changes_;
    const std::size_t entries = entries_.size();
    std::vector<std::size_t> acknowledged;
    for (std::size_t i = settled_; i < entries; ++i) {
      if (entries_[i].acknowledged && !entries_[i].isAcknowledgementWritten) acknowledged.push_back(i);
    }
    std::vector<state::Change> changes = pending();
    isProgressWritten_ = true;
    const auto committed = co_await parts_.store.commit(std::move(changes));
    if (!committed) {
      isProgressWritten_ = false;
      const bool stopping = co_await async::isCancelled();
      if (stopping) break;
      log::error("a task's state cannot be written; trying again",
                 {{"task", task()}, {"framework", framework()}, {"reason", committed.error()}});
      const auto slept = co_await async::sleep(pause);
      if (!slept) break;
      pause = std::min(pause * 2, kLongestPause);
      continue;
    }
    pause = kFirstPause;
    isRecorded_ = true;
    record_.request = std::string();  // needed no more, and large
    changesWritten_ = upTo;
    markWritten(entries, acknowledged);
    progressed_.notify();
    parts_.written(*this);
  }
  isWriting_ = false;
}

std::vector<state::Change> Journal::pending() const {
  std::vector<state::Change> changes;
  if (!isRecorded_) {
    if (prelude_) changes = prelude_();
    changes.emplace_back(state::PutTask{record_});
  } else if (!isProgressWritten_) {
    changes.emplace_back(state::PutTaskProgress{record_.number, record_.progress});
  }
  for (std::size_t i = settled_; i < entries_.size(); ++i) {
    const Entry& entry = entries_[i];
    const auto position = static_cast<std::int64_t>(i);
    if (!entry.isWritten) {
      changes.emplace_back(state::PutStatus{{.task = record_.number,
                                             .position = position,
                                             .status = toJson(entry.status),
                                             .acknowledged = entry.acknowledged}});
    } else if (entry.acknowledged && !entry.isAcknowledgementWritten) {
      changes.emplace_back(state::AcknowledgeStatus{record_.number, position});
    }
  }
  return changes;
}

// The first `entries` are, and so are these acknowledgements.
void Journal::markWritten(std::size_t entries, const std::vector<std::size_t>& acknowledged) {
  for (std::size_t i = settled_; i < entries; ++i) entries_[i].isWritten = true;
  for (const std::size_t i : acknowledged) entries_[i].isAcknowledgementWritten = true;
  while (settled_ < entries_.size() && entries_[settled_].isAcknowledgementWritten) ++settled_;
}

}  // namespace gantry::agent::tasks
