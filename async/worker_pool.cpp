#include "async/worker_pool.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include "async/event.hpp"
#include "async/scope.hpp"

namespace gantry::async {

struct WorkerPool::Threads {
  explicit Threads(unsigned count) : pool(count) {}
  boost::asio::thread_pool pool;
};

WorkerPool::WorkerPool(unsigned threads) : threads_(std::make_unique<Threads>(threads)) {}

WorkerPool::~WorkerPool() {
  threads_->pool.join();
}

namespace {

Task<> waitUntil(Event done) {
  ignore(co_await done.wait(), "shielded, so it cannot be cancelled");
}

}  // namespace

Task<> WorkerPool::runJob(std::function<void()> job) {
  const Executor executor = co_await currentExecutor();
  const Event done(executor);
  // The loop must not run dry while only the pool is busy.
  const auto working = boost::asio::prefer(executor, boost::asio::execution::outstanding_work.tracked);
  boost::asio::post(threads_->pool, [job = std::move(job), done, working] {
    job();
    boost::asio::post(working, [done] { done.set(); });
  });
  co_await shield(waitUntil(done));
}

}  // namespace gantry::async
