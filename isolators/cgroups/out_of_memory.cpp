#include "isolators/cgroups/out_of_memory.hpp"

#include <fcntl.h>
#include <sys/inotify.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include <fmt/format.h>

#include "async/descriptor.hpp"
#include "async/file_watch.hpp"
#include "async/time.hpp"
#include "kernel/file.hpp"

namespace gantry::isolators {
namespace {

using kernel::Fd;

// The kernel charges pages by the batch, and gives up that far below a limit (MEMCG_CHARGE_BATCH of 64 pages, rounded
// up for machines with large pages).
constexpr Bytes kChargeBatch = Bytes::mebi(4);

std::uint64_t valueOf(const kernel::CgroupKeys& keys, std::string_view name) {
  const auto key = keys.find(name);
  return key == keys.end() ? 0 : key->second;
}

// Both a kill and the group's own limit having been hit: a kill alone may be the host that ran out.
Result<bool> wasKilled(const Fd& group, bool isV2) {
  if (!isV2) {
    TRY(const kernel::CgroupKeys control, kernel::readCgroupKeys(group, "memory.oom_control"));
    if (valueOf(control, "oom_kill") == 0) return false;
    // memory.failcnt stays zero on current kernels.
    TRY(const std::uint64_t peak, kernel::readCgroupNumber(group, "memory.max_usage_in_bytes"));
    TRY(const std::uint64_t limit, kernel::readCgroupNumber(group, "memory.limit_in_bytes"));
    return peak >= limit - std::min(limit, kChargeBatch.count);
  }
  TRY(const kernel::CgroupKeys events, kernel::readCgroupKeys(group, "memory.events"));
  if (valueOf(events, "oom_kill") == 0) return false;
  // Without those of groups that the container made below, whose limits are its own affair (Linux 5.2).
  const auto local = kernel::readCgroupKeys(group, "memory.events.local");
  return valueOf(local ? *local : events, "oom") > 0;
}

Limitation describe(const Fd& group, bool isV2, std::optional<Bytes> requested) {
  const auto read = [&](const char* v1, const char* v2) {
    const auto value = kernel::readCgroupNumber(group, isV2 ? v2 : v1);
    return value ? toString(Bytes{*value}) : std::string("unknown");
  };
  const std::string limit = read("memory.limit_in_bytes", "memory.max");
  // memory.peak is Linux 5.19; where there is none, a group at its limit has used that much.
  const auto peak = kernel::readCgroupNumber(group, isV2 ? "memory.peak" : "memory.max_usage_in_bytes");
  const std::string used = peak ? toString(Bytes{*peak}) : limit;
  // Begins as mesos-agent's does, which people search logs for.
  return {"REASON_CONTAINER_LIMITATION_MEMORY",
          fmt::format("Memory limit exceeded: Requested: {} Limit: {} Maximum Used: {}",
                      requested ? toString(*requested) : limit, limit, used)};
}

// One of the two ways in which the kernel tells.
class Events {
 public:
  static Result<Events> open(async::Executor executor, const Fd& group, const std::string& directory, bool isV2) {
    Events events;
    if (isV2) {
      TRY(async::FileWatch watch, async::FileWatch::open(executor));
      TRY_VOID(ignoreNumber(watch.add(directory + "/memory.events", IN_MODIFY)));
      events.watch_.emplace(std::move(watch));
      return events;
    }
    TRY(Fd eventfd, kernel::watchCgroupEvent(group, "memory.oom_control"));
    TRY(events.eventfd_, async::Descriptor::adopt(std::move(executor), std::move(eventfd)));
    return events;
  }

  // Completes at the next event, or fails.
  async::Task<Result<void>> next() {
    if (watch_) {
      const auto changes = co_await watch_->next();
      if (!changes) co_return changes.error();
      co_return Result<void>();
    }
    const auto count = co_await eventfd_.read(sizeof(std::uint64_t));
    if (!count) co_return count.error();
    co_return Result<void>();
  }

 private:
  static Result<void> ignoreNumber(const Result<int>& number) {
    return number ? Result<void>() : Result<void>(number.error());
  }

  std::optional<async::FileWatch> watch_;
  async::Descriptor eventfd_;
};

// Whether a process was killed, looking for as long as `patience`: v1 tells of an out-of-memory before it chooses whom
// to kill, and not again afterwards.
async::Task<Result<bool>> wasKilledWithin(std::shared_ptr<const Fd> group, bool isV2, async::Duration patience) {
  async::Duration pause = std::chrono::milliseconds(1);
  while (true) {
    CO_TRY(const bool killed, wasKilled(*group, isV2));
    if (killed || patience <= async::Duration::zero()) co_return killed;
    CO_TRY_VOID(co_await async::sleep(pause));
    patience -= pause;
    pause *= 2;
  }
}

// Fails when the group is gone or the caller was cancelled.
async::Task<Result<Limitation>> nextOutOfMemory(kernel::CgroupHierarchy memory, std::string path,
                                                std::optional<Bytes> requested) {
  constexpr async::Duration kVerdict = std::chrono::seconds(1);
  const std::string directory = memory.mountPoint + path;
  const bool isV2 = memory.isV2();
  const async::Executor executor = co_await async::currentExecutor();
  CO_TRY(Fd opened, kernel::open(directory, O_PATH | O_DIRECTORY));
  const auto group = std::make_shared<const Fd>(std::move(opened));
  CO_TRY(Events events, Events::open(executor, *group, directory, isV2));
  async::Duration patience{};
  while (true) {
    CO_TRY(const bool killed, co_await wasKilledWithin(group, isV2, patience));
    if (killed) co_return describe(*group, isV2, requested);
    CO_TRY_VOID(co_await events.next());
    patience = isV2 ? async::Duration::zero() : kVerdict;
  }
}

}  // namespace

async::Task<Limitation> watchOutOfMemory(kernel::CgroupHierarchy memory, std::string path,
                                         std::optional<Bytes> requested) {
  const auto limitation = co_await nextOutOfMemory(std::move(memory), std::move(path), requested);
  if (limitation) co_return *limitation;
  co_await async::never();
  co_return Limitation();
}

}  // namespace gantry::isolators
