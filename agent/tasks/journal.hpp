// What happened to one task, in memory and in the database: the statuses in their order, which of them the master has
// acknowledged, and what was decided.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/state/store.hpp"
#include "agent/tasks/task_json.hpp"
#include "async/event.hpp"
#include "async/scope.hpp"

namespace gantry::agent::tasks {

// Changes take effect in memory at once, and are written in their order, all that came meanwhile in one transaction; a
// database that fails is tried until it does not. Held by shared_ptr. Only used on the agent's thread.
class Journal : public std::enable_shared_from_this<Journal> {
 public:
  // What a journal works with; outlives it.
  struct Parts {
    state::Store& store;
    // Where the writing goes on; ended before the rest goes.
    async::Scope& scope;
    // Called when something has been written, and so the head may be another one, or the journal closed.
    std::function<void(Journal&)> written;
  };

  // A new task. `prelude` gives what must be in the database before the task is; it goes into the same transaction.
  // Nothing is written before the first change or keep().
  Journal(Parts& parts, state::TaskRecord record, std::function<std::vector<state::Change>()> prelude);
  // One of an earlier agent. InvalidArgument when a status cannot be read.
  static Result<std::shared_ptr<Journal>> restore(Parts& parts, state::TaskRecord record,
                                                  const std::vector<state::StatusRecord>& statuses);

  // Puts the task on record.
  void keep();
  void note(const Progress& progress);
  // `isTold` false: for the history alone, nobody is to acknowledge it. Not after a terminal one.
  void append(TaskStatus status, bool isTold);
  // NotFound unless it is the head's.
  Result<void> acknowledge(const std::string& uuid);
  // Nobody is told any more.
  void acknowledgeAll();
  // Completes when everything up to this call is in the database; fails with Cancelled only.
  async::Task<Result<void>> written();

  std::int64_t number() const { return record_.number; }
  const std::string& framework() const { return record_.framework; }
  const std::string& task() const { return record_.task; }

  // The status that the master is to be told now: the first that it has not acknowledged, if it is in the database and
  // so are the acknowledgements before it. Null when there is none.
  const TaskStatus* head() const;
  // The newest one that is in the database, Staging without any.
  TaskState writtenState() const;
  // The newest one.
  TaskState state() const { return entries_.empty() ? TaskState::Staging : entries_.back().status.state; }
  const TaskStatus* last() const { return entries_.empty() ? nullptr : &entries_.back().status; }
  bool hasEnded() const { return isTerminal(state()); }
  // It has ended, and everything was acknowledged.
  bool isAcknowledged() const;
  // The same, and the database knows.
  bool isClosed() const;
  // Of consecutive ones with the same state the last.
  std::vector<TaskStatus> history() const;

  // The status that was last sent.
  void sent(const TaskStatus& status);
  std::optional<TaskState> sentState() const { return sentState_; }
  const std::string& sentUuid() const { return sentUuid_; }

 private:
  struct Entry {
    TaskStatus status;
    bool acknowledged = false;
    bool isWritten = false;
    bool isAcknowledgementWritten = false;
  };

  void changed();
  static async::Task<> write(std::shared_ptr<Journal> self);
  async::Task<> write();
  std::vector<state::Change> pending() const;
  void markWritten(std::size_t entries, const std::vector<std::size_t>& acknowledged);

  Parts& parts_;
  state::TaskRecord record_;
  std::function<std::vector<state::Change>()> prelude_;
  std::vector<Entry> entries_;
  // Entries before this one are acknowledged, and that is written.
  std::size_t settled_ = 0;
  bool isRecorded_ = false;
  bool isProgressWritten_ = true;
  bool isWriting_ = false;
  // How many changes there were, and how many of them are written.
  std::uint64_t changes_ = 0;
  std::uint64_t changesWritten_ = 0;
  async::Notification progressed_;
  std::optional<TaskState> sentState_;
  std::string sentUuid_;
};

}  // namespace gantry::agent::tasks
