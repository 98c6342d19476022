// Blocking work off the loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <type_traits>

#include "async/task.hpp"

namespace gantry::async {

// Two threads for the few slow file operations (SQLite, fsync, large directories). What runs there takes and returns
// values only; it may not touch anything the loop's thread can see. The destructor waits for what has begun.
class WorkerPool {
 public:
  explicit WorkerPool(unsigned threads = 2);
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;
  ~WorkerPool();

  // Runs `function` on a thread of the pool and completes with what it returned. Cannot be cancelled: it runs to its
  // end, and so the awaiting coroutine always gets the value.
  template <typename Function>
  Task<std::invoke_result_t<Function>> run(Function function) {
    using Value = std::invoke_result_t<Function>;
    auto value = std::make_shared<std::optional<Value>>();
    std::function<void()> job = [value, call = std::make_shared<Function>(std::move(function))] {
      value->emplace((*call)());
    };
    co_await runJob(std::move(job));
    co_return std::move(**value);
  }

 private:
  struct Threads;

  Task<> runJob(std::function<void()> job);

  std::unique_ptr<Threads> threads_;
};

}  // namespace gantry::async
