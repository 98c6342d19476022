// For agent/tasks/*.cpp only: what is behind Tasks.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/tasks/deliveries.hpp"
#include "agent/tasks/framework_tasks.hpp"
#include "agent/tasks/journal.hpp"
#include "agent/tasks/task_life.hpp"
#include "agent/tasks/task_manager.hpp"
#include "async/event.hpp"
#include "async/scope.hpp"
#include "base/log_limit.hpp"

namespace gantry::agent::tasks {

// Facts in the database.
constexpr const char* kDrainFact = "tasks_drain";
constexpr const char* kAgentFact = "tasks_agent";  // whose tasks they are

struct Tasks::State {
  explicit State(TaskParts wired);

  // The framework, as one with tasks: made anew or brought back from the completed ones when need be.
  FrameworkBook& open(const Framework& framework);
  FrameworkBook* find(const std::string& framework);

  void run(Framework framework, TaskRequest request);
  void refuse(Framework framework, std::string task, TaskState state, Reason reason, std::string message);
  void discard(FrameworkBook& book);
  // Ends what no master knows of; the framework may begin anew meanwhile.
  void orphan(FrameworkBook& book);
  void killForDrain(const FrameworkBook& book) const;
  std::shared_ptr<Journal> newJournal(const std::string& framework, const std::string& task, std::string request);

  // Something of the journal was written: sends what is due, and closes the book on a task that is over.
  void wasWritten(Journal& journal);
  void close(FrameworkBook& book, Journal& journal);
  void completeIfIdle(const std::string& framework);
  void trimHistory();
  void trim(FrameworkBook& book, std::vector<state::Change>& changes) const;
  // Off the caller's way, in the order of the calls; tried until it is done.
  void write(std::vector<state::Change> changes);
  async::Task<> writeAll();
  void save(const FrameworkBook& book);
  bool isEmpty() const;

  // recovery.cpp
  struct FoundTask;
  struct Found;
  Result<Found> read(const state::Contents& contents, bool skipUnreadable);
  void takeUp(Found found);
  void settleOlder(FrameworkBook& book, const std::string& task);
  void takeUp(FrameworkBook& book, FoundTask task);
  void destroyStrangers();
  async::Task<> destroy(ContainerId container);
  async::Task<> untilDecided();

  TaskParts parts;
  TaskCounters counters;
  std::string agentId;
  std::optional<DrainConfig> drain;
  bool isShutDown = false;
  std::int64_t nextNumber = 1;
  std::map<std::string, FrameworkBook> frameworks;
  // Oldest first.
  std::deque<FrameworkBook> completed;
  async::Scope scope;
  async::Notification emptied;
  Deliveries deliveries;
  bool isConnected = false;
  Journal::Parts journals;
  LifeParts lives;
  std::deque<std::vector<state::Change>> unwritten;
  bool isWriting = false;
  // A framework can make us say so as often as it likes.
  struct {
    log::Limit notRun;
    log::Limit refused;
    log::Limit ignoredKills;
    log::Limit ignoredAcknowledgements;
  } limits;
};

}  // namespace gantry::agent::tasks
