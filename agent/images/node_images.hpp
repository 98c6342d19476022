// The image store of a node, in files (store.hpp has the layout).
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/images/store.hpp"
#include "async/scope.hpp"
#include "async/worker_pool.hpp"
#include "fetcher/client.hpp"

namespace gantry::agent {

// Only used on the agent's thread.
class NodeImages final : public ImageStore {
 public:
  // What every pull is asked with; `reference` is filled in for each.
  using PullTemplate = fetcher::PullRequest;

  // Makes `pulls.store` when missing and reads what is known. A record that cannot be read, or whose layers are gone,
  // is dropped with a warning: the image is pulled again when it is wanted. `fetcher` and `workers` must outlive this.
  static Result<std::unique_ptr<NodeImages>> open(async::Executor executor, fetcher::Fetcher& fetcher,
                                                  async::WorkerPool& workers, PullTemplate pulls);
  ~NodeImages() override;

  async::Task<Result<fetcher::Image>> get(std::string reference, bool useCached,
                                          fetcher::ProgressSink progress) override;
  std::vector<Entry> list() const override;
  Result<void> forget(const std::string& reference) override;
  async::Task<Result<Pruned>> prune(std::set<std::string> inUse) override;

  // Ends running pulls and waits for their end. To be awaited before destruction.
  async::Task<> close();

 private:
  struct PullInFlight;

  NodeImages(async::Executor executor, fetcher::Fetcher& fetcher, async::WorkerPool& workers, PullTemplate pulls);

  Result<void> load();
  Result<std::string> canonical(const std::string& reference) const;
  const fetcher::Image* findWhole(const std::string& reference) const;
  async::Task<> runPull(std::string reference, std::shared_ptr<PullInFlight> pull);
  async::Task<> fetch(std::string reference, std::shared_ptr<PullInFlight> pull);
  async::Task<Result<fetcher::Image>> fetchAndRecord(std::string reference, std::shared_ptr<PullInFlight> pull);
  std::string recordPath(const std::string& reference) const;

  const async::Executor executor_;
  fetcher::Fetcher& fetcher_;
  async::WorkerPool& workers_;
  const PullTemplate pulls_;
  async::Scope scope_;
  // By canonical reference.
  std::map<std::string, Entry> images_;
  std::map<std::string, std::shared_ptr<PullInFlight>> inFlight_;
};

}  // namespace gantry::agent
