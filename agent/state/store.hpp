// The agent's state as its thread uses it: changes become durable off the loop, many of them in one transaction.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/state/database.hpp"
#include "async/event.hpp"
#include "async/worker_pool.hpp"
#include "isolators/saved_states.hpp"

namespace gantry::agent::state {

// One writer with group commit: what is committed while a transaction is being written goes into the next one together,
// so that a burst costs a few fsyncs. Only used on the agent's thread.
class Store final : public isolators::SavedStates {
 public:
  // `savedStates` are those of the database's contents. The pool must outlive this.
  Store(Database database, std::map<std::pair<std::string, std::string>, std::string> savedStates,
        async::Executor executor, async::WorkerPool& pool);
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // All of `changes` are durable when it completes, or it failed and none are. Commits are applied in the order in
  // which they were called. Not ended by cancelling.
  async::Task<Result<void>> commit(std::vector<Change> changes);

  async::Task<Result<void>> save(ContainerId container, std::string isolator, isolators::SavedState state) override;
  isolators::SavedState load(const ContainerId& container, const std::string& isolator) const override;

 private:
  struct Waiting;
  using Queue = std::vector<std::shared_ptr<Waiting>>;

  async::Task<> writeQueue();
  void forgetStates(const std::vector<Change>& written);

  Database database_;
  std::map<std::pair<std::string, std::string>, std::string> savedStates_;
  async::Executor executor_;
  async::WorkerPool& pool_;
  Queue queue_;
  bool writing_ = false;
};

}  // namespace gantry::agent::state
