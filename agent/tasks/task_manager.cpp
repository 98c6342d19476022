#include "agent/tasks/task_manager.hpp"

#include <csignal>

#include <algorithm>
#include <utility>

#include "agent/tasks/outcome.hpp"
#include "agent/tasks/sandbox.hpp"
#include "agent/tasks/task_manager_state.hpp"
#include "agent/tasks/uuid.hpp"
#include "async/time.hpp"
#include "base/log.hpp"

namespace gantry::agent::tasks {
namespace {

using namespace std::chrono_literals;

// Between two tries to write to a database that fails.
constexpr async::Duration kPause = 1s;
// Of the executor shutdown grace, mesos-executor keeps this for itself: its task has the rest.
constexpr Duration kExecutorsShare = 2s;

Duration shutdownGrace(const TaskSettings& settings) {
  return std::max(settings.shutdownGrace - kExecutorsShare, Duration(0));
}

TaskStatus agentStatus(TaskState state, Reason reason, std::string message) {
  TaskStatus status{.state = state, .source = Source::Agent};
  status.reason = reason;
  status.message = std::move(message);
  status.time = Clock::now();
  status.uuid = newUuid();
  return status;
}

}  // namespace

Tasks::State::State(TaskParts wired)
    : parts(std::move(wired)),
      scope(parts.executor),
      emptied(parts.executor),
      deliveries(parts.executor, parts.settings.firstResend, parts.settings.longestResend),
      journals{parts.store, scope, [this](Journal& journal) { wasWritten(journal); }},
      lives{parts.settings, parts.containers, parts.uris, scope, counters, agentId, drain} {
  scope.spawn(deliveries.run());
}

FrameworkBook* Tasks::State::find(const std::string& framework) {
  const auto found = frameworks.find(framework);
  return found == frameworks.end() ? nullptr : &found->second;
}

FrameworkBook& Tasks::State::open(const Framework& framework) {
  if (FrameworkBook* const known = find(framework.id)) return *known;
  FrameworkBook& book = frameworks.emplace(framework.id, framework).first->second;
  const auto old = std::ranges::find(completed, framework.id, [](const auto& each) { return each.framework->id; });
  if (old != completed.end()) {
    book.completed = std::move(old->completed);
    completed.erase(old);
  }
  return book;
}

std::shared_ptr<Journal> Tasks::State::newJournal(const std::string& framework, const std::string& task,
                                                  std::string request) {
  state::TaskRecord record{
      .number = nextNumber++, .framework = framework, .task = task, .request = std::move(request), .progress = "{}"};
  // As it is when that is written.
  auto prelude = [this, framework]() -> std::vector<state::Change> {
    const FrameworkBook* const book = find(framework);
    if (book == nullptr) return {};
    return {state::PutFramework{{.id = framework, .framework = toJson(book->stored())}}};
  };
  return std::make_shared<Journal>(journals, std::move(record), std::move(prelude));
}

void Tasks::State::run(Framework framework, TaskRequest request) {
  const FrameworkBook* const known = find(framework.id);
  if (isShutDown || (known != nullptr && known->ending)) {
    if (const auto more = limits.notRun.pass()) {
      log::warning("a task is not run, since its framework or the agent is shutting down",
                   {{"task", request.id}, {"framework", framework.id}, {"more", *more}});
    }
    return;
  }
  if (drain) {
    refuse(std::move(framework), request.id, TaskState::Dropped, Reason::AgentDraining, "the agent is draining");
    return;
  }
  if (known != nullptr && known->find(request.id) != nullptr) {
    refuse(std::move(framework), request.id, TaskState::Dropped, Reason::TaskInvalid,
           "the agent has a task with this id already");
    return;
  }
  auto json = toJson(request);
  if (!json) {
    refuse(std::move(framework), request.id, TaskState::Error, Reason::TaskInvalid, json.error().message());
    return;
  }
  FrameworkBook& book = open(framework);
  auto journal = newJournal(framework.id, request.id, *std::move(json));
  const std::string id = request.id;
  auto life = std::make_shared<TaskLife>(lives, book.framework, std::move(request), std::move(journal), Progress());
  book.tasks.emplace(id, life);
  scope.spawn(life->run());
}

void Tasks::State::refuse(Framework framework, std::string task, TaskState state, Reason reason, std::string message) {
  if (const auto more = limits.refused.pass()) {
    log::warning("task is refused", {{"task", task},
                                     {"framework", framework.id},
                                     {"reason", toString(reason)},
                                     {"message", message},
                                     {"more", *more}});
  }
  TaskStatus status = agentStatus(stateFor(framework, state), reason, std::move(message));
  ++counters.validStatusUpdates;
  ++counters.ended[status.state];
  if (const FrameworkBook* const known = find(framework.id); known != nullptr && known->find(task) != nullptr) {
    // The updates of the task that has this id go on undisturbed.
    deliveries.sendOnce(
        {.framework = framework.id, .task = task, .executor = task, .status = status, .latestState = status.state});
    return;
  }
  FrameworkBook& book = open(framework);
  const auto journal = newJournal(framework.id, task, "");
  book.refused.emplace(task, journal);
  journal->append(std::move(status), true);
}

void Tasks::State::discard(FrameworkBook& book) {
  book.ending = true;
  save(book);
  for (const auto& [id, life] : book.tasks) life->discard(shutdownGrace(parts.settings));
  for (const auto& [id, journal] : book.refused) journal->acknowledgeAll();
}

void Tasks::State::orphan(FrameworkBook& book) {
  for (const auto& [id, life] : book.tasks) life->orphan();
  for (const auto& [id, journal] : book.refused) journal->acknowledgeAll();
}

void Tasks::State::killForDrain(const FrameworkBook& book) const {
  for (const auto& [task, life] : book.tasks) {
    std::optional<Duration> grace = drain->maxGracePeriod;
    if (grace) grace = std::min(life->request().killGrace.value_or(parts.settings.killGrace), *grace);
    life->kill(grace);
  }
}

void Tasks::State::wasWritten(Journal& journal) {
  FrameworkBook* const book = find(journal.framework());
  if (book == nullptr || book->find(journal.task()) != &journal) return;
  if (journal.isClosed()) {
    close(*book, journal);
  } else if (isConnected) {
    deliveries.look(journal);
  }
}

// A task becomes history; of one that was never run nothing stays.
void Tasks::State::close(FrameworkBook& book, Journal& journal) {
  deliveries.forget(journal);
  const std::string framework = journal.framework();
  const std::int64_t number = journal.number();
  if (const auto task = book.tasks.find(journal.task()); task != book.tasks.end()) {
    book.completed.push_back({number, task->second->describe()});
    book.tasks.erase(task);
  } else {
    write({state::DeleteTask{number}});
    book.refused.erase(journal.task());
  }
  completeIfIdle(framework);
  trimHistory();
  if (!isEmpty()) return;
  if (drain) {
    drain.reset();
    write({state::DeleteFact{kDrainFact}});
  }
  emptied.notify();
}

void Tasks::State::completeIfIdle(const std::string& framework) {
  const auto found = frameworks.find(framework);
  if (found == frameworks.end() || found->second.isActive()) return;
  found->second.ending = false;
  // Of one whose tasks were all refused there is nothing to tell.
  if (found->second.completed.empty()) {
    write({state::DeleteFramework{framework}});
  } else {
    completed.push_back(std::move(found->second));
  }
  frameworks.erase(found);
}

void Tasks::State::trimHistory() {
  std::vector<state::Change> changes;
  for (auto& [id, book] : frameworks) trim(book, changes);
  for (FrameworkBook& book : completed) trim(book, changes);
  while (completed.size() > parts.settings.completedFrameworks) {
    for (const CompletedTask& task : completed.front().completed) changes.emplace_back(state::DeleteTask{task.number});
    changes.emplace_back(state::DeleteFramework{completed.front().framework->id});
    completed.pop_front();
  }
  if (!changes.empty()) write(std::move(changes));
}

void Tasks::State::trim(FrameworkBook& book, std::vector<state::Change>& changes) const {
  while (book.completed.size() > parts.settings.completedTasks) {
    changes.emplace_back(state::DeleteTask{book.completed.front().number});
    book.completed.pop_front();
  }
}

void Tasks::State::write(std::vector<state::Change> changes) {
  unwritten.push_back(std::move(changes));
  if (std::exchange(isWriting, true)) return;
  scope.spawn(writeAll());
}

async::Task<> Tasks::State::writeAll() {
  while (!unwritten.empty()) {
    std::vector<state::Change> changes = unwritten.front();
    const auto written = co_await parts.store.commit(std::move(changes));
    if (written) {
      unwritten.pop_front();
      continue;
    }
    log::error("what is known of tasks cannot be written; trying again", {{"reason", written.error()}});
    const auto slept = co_await async::sleep(kPause);
    if (!slept) break;
  }
  isWriting = false;
}

void Tasks::State::save(const FrameworkBook& book) {
  write({state::PutFramework{{.id = book.framework->id, .framework = toJson(book.stored())}}});
}

bool Tasks::State::isEmpty() const {
  return std::ranges::none_of(frameworks, [](const auto& each) { return each.second.isActive(); });
}

Tasks::Tasks(TaskParts parts) : state_(std::make_unique<State>(std::move(parts))) {}
Tasks::~Tasks() = default;

async::Task<> Tasks::stop() {
  // mesos-agent's executors end with it when it does not checkpoint them.
  std::vector<ContainerId> mortal;
  for (const auto& [name, book] : state_->frameworks) {
    if (book.framework->checkpoint) continue;
    for (const auto& [task, life] : book.tasks) mortal.push_back(life->request().container.id);
  }
  for (const ContainerId& id : mortal) {
    ignore(co_await state_->parts.containers.kill(id, SIGKILL), "it has ended, or the next agent kills it");
  }
  state_->scope.cancel();
  co_await state_->scope.join();
}

async::Task<Result<void>> Tasks::untilEmpty() {
  while (!state_->isEmpty()) {
    CO_TRY_VOID(co_await state_->emptied.after(state_->emptied.count()));
  }
  co_return Result<void>();
}

void Tasks::registered(const std::string& agentId) {
  if (agentId == state_->agentId) return;
  if (!state_->agentId.empty()) {
    log::warning("this is another agent to its master now, and the tasks of the one it was are ended",
                 {{"old", state_->agentId}, {"new", agentId}});
    for (auto& [id, book] : state_->frameworks) state_->orphan(book);
  }
  state_->agentId = agentId;
  state_->write({state::PutFact{kAgentFact, agentId}});
  const auto made = makeAgentDirectory(state_->parts.settings.workDirectory, agentId);
  if (!made) log::error("the directory of this agent's sandboxes cannot be made", {{"reason", made.error()}});
}

void Tasks::run(Framework framework, TaskRequest request) {
  state_->run(std::move(framework), std::move(request));
}

void Tasks::refuse(Framework framework, std::string task, TaskState state, Reason reason, std::string message) {
  state_->refuse(std::move(framework), std::move(task), state, reason, std::move(message));
}

void Tasks::kill(const std::string& framework, const std::string& task, std::optional<Duration> grace) {
  FrameworkBook* const book = state_->find(framework);
  if (book == nullptr || book->ending) {
    if (const auto more = state_->limits.ignoredKills.pass()) {
      log::warning("a kill is ignored, since the framework has no tasks here",
                   {{"task", task}, {"framework", framework}, {"more", *more}});
    }
    return;
  }
  if (const auto known = book->tasks.find(task); known != book->tasks.end()) {
    known->second->kill(grace);
  } else if (!book->refused.contains(task) && !book->hasCompleted(task)) {
    state_->refuse(*book->framework, task, TaskState::Dropped, Reason::ExecutorTerminated,
                   "the task to be killed is not known to the agent");
  }
}

void Tasks::shutdownFramework(const std::string& framework) {
  FrameworkBook* const book = state_->find(framework);
  if (book == nullptr) return;
  log::info("framework is shut down", {{"framework", framework}});
  state_->discard(*book);
}

void Tasks::updateFramework(Framework framework) {
  FrameworkBook* const book = state_->find(framework.id);
  if (book == nullptr) return;
  *book->framework = std::move(framework);
  state_->save(*book);
  if (!state_->isConnected) return;
  for (const auto& [id, life] : book->tasks) state_->deliveries.sendAgain(life->journal());
  for (const auto& [id, journal] : book->refused) state_->deliveries.sendAgain(*journal);
}

// A task that is over is so at once: its id may be used again by the next message.
void Tasks::acknowledge(const std::string& framework, const std::string& task, const std::string& uuid) {
  FrameworkBook* const book = state_->find(framework);
  Journal* const journal = book == nullptr ? nullptr : book->find(task);
  const Result<void> done = journal == nullptr
                                ? Result<void>(gantry::Error(Code::NotFound, "the task has no update that waits"))
                                : journal->acknowledge(uuid);
  if (done) {
    if (journal->isAcknowledged()) state_->close(*book, *journal);
    return;
  }
  if (const auto more = state_->limits.ignoredAcknowledgements.pass()) {
    log::warning("an acknowledgement is ignored",
                 {{"task", task}, {"framework", framework}, {"reason", done.error()}, {"more", *more}});
  }
}

void Tasks::reconcile(Framework framework, const std::string& task) {
  const FrameworkBook* const book = state_->find(framework.id);
  if (book != nullptr && (book->ending || book->knows(task))) return;
  state_->refuse(std::move(framework), task, TaskState::Dropped, Reason::Reconciliation,
                 "Reconciliation: task unknown to the agent");
}

void Tasks::drain(DrainConfig config) {
  if (state_->isEmpty()) return;
  // A master repeats itself to an agent that comes back.
  config.started = state_->drain && state_->drain->started ? state_->drain->started : Clock::now();
  state_->drain = std::move(config);
  state_->write({state::PutFact{kDrainFact, toJson(*state_->drain)}});
  log::info("the agent is drained");
  for (const auto& [name, book] : state_->frameworks) state_->killForDrain(book);
}

void Tasks::shutdown() {
  state_->isShutDown = true;
  for (auto& [id, book] : state_->frameworks) state_->discard(book);
}

void Tasks::connected(UpdateSink& sink) {
  state_->isConnected = true;
  state_->deliveries.connect(sink);
  for (const auto& [name, book] : state_->frameworks) {
    for (const auto& [task, life] : book.tasks) state_->deliveries.look(life->journal());
    for (const auto& [task, journal] : book.refused) state_->deliveries.look(*journal);
  }
}

void Tasks::disconnected() {
  state_->isConnected = false;
  state_->deliveries.disconnect();
}

Snapshot Tasks::snapshot() const {
  Snapshot all;
  for (const auto& [id, book] : state_->frameworks) {
    FrameworkTasks described = book.describe();
    if (!described.active.empty() || !described.completed.empty()) all.frameworks.push_back(std::move(described));
  }
  for (const FrameworkBook& book : state_->completed) all.completedFrameworks.push_back(book.describe());
  all.drain = state_->drain;
  return all;
}

const TaskCounters& Tasks::counters() const {
  return state_->counters;
}

}  // namespace gantry::agent::tasks
