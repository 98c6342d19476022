#include "agent/state/store.hpp"

#include <functional>
#include <optional>

#include "async/scope.hpp"

namespace gantry::agent::state {

// A commit in the queue. Woken with an outcome, or without one to write the queue's next transaction itself.
struct Store::Waiting {
  Waiting(std::vector<Change> wanted, async::Executor executor)
      : changes(std::move(wanted)), woken(std::move(executor)) {}

  std::vector<Change> changes;
  std::optional<Result<void>> outcome;
  async::Event woken;
};

Store::Store(Database database, std::map<std::pair<std::string, std::string>, std::string> savedStates,
             async::Executor executor, async::WorkerPool& pool)
    : database_(std::move(database)),
      savedStates_(std::move(savedStates)),
      executor_(std::move(executor)),
      pool_(pool) {}

async::Task<Result<void>> Store::commit(std::vector<Change> changes) {
  auto mine = std::make_shared<Waiting>(std::move(changes), executor_);
  queue_.push_back(mine);
  if (writing_) {
    async::Task<Result<void>> woken = mine->woken.wait();
    CO_TRY_VOID(co_await async::shield(std::move(woken)));
  }
  if (!mine->outcome) co_await writeQueue();
  co_return *mine->outcome;
}

// Writes everything that is queued in one transaction, then appoints the first of those who came meanwhile.
async::Task<> Store::writeQueue() {
  writing_ = true;
  const Queue batch = std::exchange(queue_, {});
  std::vector<Change> all;
  for (const auto& each : batch) all.insert(all.end(), each->changes.begin(), each->changes.end());
  // The database belongs to the one transaction that is being written: `writing_` keeps others away.
  std::function<Result<void>()> write = [database = &database_, changes = all] { return database->apply(changes); };
  const Result<void> outcome = co_await pool_.run(std::move(write));
  if (outcome) forgetStates(all);
  for (const auto& each : batch) {
    each->outcome = outcome;
    each->woken.set();
  }
  writing_ = !queue_.empty();
  if (writing_) queue_.front()->woken.set();
}

// Of the containers whose saved states were deleted.
void Store::forgetStates(const std::vector<Change>& written) {
  for (const Change& change : written) {
    const auto* states = std::get_if<DeleteSavedStates>(&change);
    const auto* container = std::get_if<DeleteContainer>(&change);
    if (states == nullptr && container == nullptr) continue;
    const std::string& id = states != nullptr ? states->container : container->id;
    std::erase_if(savedStates_, [&](const auto& each) { return each.first.first == id; });
  }
}

async::Task<Result<void>> Store::save(ContainerId container, std::string isolator, isolators::SavedState state) {
  savedStates_[{container.text(), isolator}] = state;
  std::vector<Change> changes;
  changes.emplace_back(PutSavedState{container.text(), std::move(isolator), std::move(state)});
  co_return co_await commit(std::move(changes));
}

isolators::SavedState Store::load(const ContainerId& container, const std::string& isolator) const {
  const auto found = savedStates_.find({container.text(), isolator});
  return found == savedStates_.end() ? isolators::SavedState() : found->second;
}

}  // namespace gantry::agent::state
