// What the task manager does once, after a restart of the agent or of the host.
#include <csignal>

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "agent/tasks/task_manager_state.hpp"
#include "base/log.hpp"

namespace gantry::agent::tasks {

struct Tasks::State::FoundTask {
  state::TaskRecord record;
  // Unset for one that was refused.
  std::optional<TaskRequest> request;
  Progress progress;
  std::shared_ptr<Journal> journal;
};

struct Tasks::State::Found {
  std::vector<StoredFramework> frameworks;
  std::vector<FoundTask> tasks;
  std::optional<DrainConfig> drain;
};

namespace {

// How long the ends of tasks that have ended meanwhile are waited for.
constexpr async::Duration kPatience = std::chrono::seconds(2);

using Statuses = std::map<std::int64_t, std::vector<state::StatusRecord>>;

Result<void> check(Result<void> read, const std::string& what, bool skipUnreadable) {
  if (read) return {};
  if (!skipUnreadable) return std::move(read).under(what);
  log::error("a record cannot be read and is left out", {{"record", what}, {"reason", read.error()}});
  return {};
}

}  // namespace

Result<Tasks::State::Found> Tasks::State::read(const state::Contents& contents, bool skipUnreadable) {
  Found found;
  Statuses statuses;
  for (const state::StatusRecord& status : contents.statuses) statuses[status.task].push_back(status);

  const auto readFramework = [&](const state::FrameworkRecord& record) -> Result<void> {
    TRY(StoredFramework framework, parseFramework(record.framework));
    found.frameworks.push_back(std::move(framework));
    return {};
  };
  const auto readTask = [&](const state::TaskRecord& record) -> Result<void> {
    FoundTask task{.record = record};
    if (!record.request.empty()) {
      TRY(task.request, parseTaskRequest(record.request));
    }
    TRY(task.progress, parseProgress(record.progress));
    TRY(task.journal, Journal::restore(journals, record, statuses[record.number]));
    found.tasks.push_back(std::move(task));
    return {};
  };

  for (const state::FrameworkRecord& record : contents.frameworks) {
    TRY_VOID(check(readFramework(record), fmt::format("framework '{}'", record.id), skipUnreadable));
  }
  for (const state::TaskRecord& record : contents.tasks) {
    nextNumber = std::max(nextNumber, record.number + 1);
    TRY_VOID(check(readTask(record), fmt::format("task '{}'", record.task), skipUnreadable));
  }
  if (const auto fact = contents.facts.find(kAgentFact); fact != contents.facts.end()) agentId = fact->second;
  if (const auto fact = contents.facts.find(kDrainFact); fact != contents.facts.end()) {
    auto config = parseDrain(fact->second);
    if (config) found.drain = *config;
    TRY_VOID(check(config ? Result<void>() : Result<void>(config.error()), "drain", skipUnreadable));
  }
  return found;
}

void Tasks::State::takeUp(Found found) {
  drain = std::move(found.drain);
  for (StoredFramework& each : found.frameworks) {
    FrameworkBook& book = open(each.framework);
    book.ending = each.ending;
  }
  for (FoundTask& task : found.tasks) {
    FrameworkBook* const book = find(task.record.framework);
    if (book == nullptr) {
      log::error("a task of a framework that is not on record is left out", {{"task", task.record.task}});
      continue;
    }
    settleOlder(*book, task.record.task);
    if (task.request) {
      takeUp(*book, std::move(task));
    } else if (task.journal->isClosed()) {
      write({state::DeleteTask{task.record.number}});
    } else {
      book->refused.emplace(task.record.task, std::move(task.journal));
    }
  }
  // Those that are over, in the order in which their last tasks came.
  std::vector<std::pair<std::int64_t, std::string>> ids;
  for (auto& [id, book] : frameworks) {
    ids.emplace_back(book.completed.empty() ? 0 : book.completed.back().number, id);
    for (const auto& [task, life] : book.tasks) scope.spawn(life->resume());
    if (!book.isActive()) continue;
    // Its master has given its tasks up when the agent went.
    if (!book.framework->checkpoint) orphan(book);
    // What was decided for all of them may not be on record for each.
    if (book.ending) discard(book);
    if (drain) killForDrain(book);
  }
  std::ranges::sort(ids);
  for (const auto& [number, id] : ids) completeIfIdle(id);
  trimHistory();
}

// What had the id of `task` before, which was used again: so its end, or the one update of a refused one, had been
// acknowledged.
void Tasks::State::settleOlder(FrameworkBook& book, const std::string& task) {
  if (const auto older = book.refused.find(task); older != book.refused.end()) {
    write({state::DeleteTask{older->second->number()}});
    book.refused.erase(older);
  }
  if (const auto older = book.tasks.find(task); older != book.tasks.end()) {
    Journal& journal = older->second->journal();
    journal.acknowledgeAll();
    book.completed.push_back({journal.number(), older->second->describe()});
    book.tasks.erase(older);
  }
}

void Tasks::State::takeUp(FrameworkBook& book, FoundTask task) {
  const std::int64_t number = task.record.number;
  const bool isClosed = task.journal->isClosed();
  auto life = std::make_shared<TaskLife>(lives, book.framework, *std::move(task.request), std::move(task.journal),
                                         std::move(task.progress));
  if (isClosed) {
    book.completed.push_back({number, life->describe()});
    return;
  }
  book.tasks.emplace(task.record.task, std::move(life));
}

// Each task that went on or has ended knows it.
async::Task<> Tasks::State::untilDecided() {
  std::vector<async::Task<>> all;
  for (const auto& [name, book] : frameworks) {
    for (const auto& [task, life] : book.tasks) all.push_back(life->decided());
  }
  async::Scope waits(scope.executor());
  for (async::Task<>& each : all) waits.spawn(std::move(each));
  co_await waits.joinWithin(kPatience);
}

// Containers in our sandboxes that belong to no task: their record was lost.
void Tasks::State::destroyStrangers() {
  std::set<ContainerId> known;
  for (const auto& [name, book] : frameworks) {
    for (const auto& [task, life] : book.tasks) known.insert(life->request().container.id);
  }
  const std::string ours = parts.settings.workDirectory + "/slaves/";
  for (const ContainerStatus& status : parts.containers.list()) {
    const auto& sandbox = status.container->request.sandbox;
    if (!sandbox || !sandbox->starts_with(ours) || known.contains(status.container->id())) continue;
    log::warning("a container of no task is destroyed", {{"container", status.container->id().text()}});
    scope.spawn(destroy(status.container->id()));
  }
}

async::Task<> Tasks::State::destroy(ContainerId container) {
  ContainerManager& containers = parts.containers;
  ignore(co_await containers.kill(container, SIGKILL), "it has ended");
  ignore(co_await containers.wait(container), "removing it says what is wrong");
  const auto removed = co_await containers.remove(container);
  if (removed || removed.error().code() == Code::NotFound || removed.error().code() == Code::Cancelled) co_return;
  log::error("a container of no task cannot be removed",
             {{"container", container.text()}, {"reason", removed.error()}});
}

async::Task<Result<void>> Tasks::recover(state::Contents contents, bool skipUnreadable) {
  CO_TRY(State::Found found, state_->read(contents, skipUnreadable));
  state_->takeUp(std::move(found));
  state_->destroyStrangers();
  co_await state_->untilDecided();
  co_return Result<void>();
}

}  // namespace gantry::agent::tasks
