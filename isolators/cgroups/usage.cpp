#include "isolators/cgroups/usage.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "kernel/file.hpp"

namespace gantry::isolators {
namespace {

using kernel::CgroupKeys;
using kernel::Fd;

constexpr double kMicro = 1e-6;
constexpr double kNano = 1e-9;
// v1 says "no limit" with the largest multiple of the page size below 2^63.
constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 62U;

std::optional<std::uint64_t> number(const Fd& group, const std::string& file) {
  auto value = kernel::readCgroupNumber(group, file);
  return value ? std::optional<std::uint64_t>(*value) : std::nullopt;
}

std::optional<std::uint64_t> limit(const Fd& group, const std::string& file) {
  const auto value = number(group, file);
  return value && *value < kNoLimit ? value : std::nullopt;
}

std::optional<std::uint64_t> find(const CgroupKeys& keys, std::string_view name) {
  const auto key = keys.find(name);
  return key == keys.end() ? std::nullopt : std::optional<std::uint64_t>(key->second);
}

std::optional<double> seconds(std::optional<std::uint64_t> count, double unit) {
  return count ? std::optional<double>(static_cast<double>(*count) * unit) : std::nullopt;
}

std::optional<std::uint32_t> narrow(std::optional<std::uint64_t> count) {
  return count ? std::optional<std::uint32_t>(static_cast<std::uint32_t>(*count)) : std::nullopt;
}

void readThrottling(const CgroupKeys& stat, std::string_view time, double unit, Usage& into) {
  into.cpusNrPeriods = narrow(find(stat, "nr_periods"));
  into.cpusNrThrottled = narrow(find(stat, "nr_throttled"));
  into.cpusThrottledTimeSecs = seconds(find(stat, time), unit);
}

Result<void> readCpuTimeV1(const Fd& group, Usage& into) {
  into.cpusUserTimeSecs = seconds(number(group, "cpuacct.usage_user"), kNano);
  into.cpusSystemTimeSecs = seconds(number(group, "cpuacct.usage_sys"), kNano);
  return {};
}

Result<void> readCpuV1(const Fd& group, Usage& into) {
  TRY(const CgroupKeys stat, kernel::readCgroupKeys(group, "cpu.stat"));
  readThrottling(stat, "throttled_time", kNano, into);
  return {};
}

Result<void> readCpuV2(const Fd& group, Usage& into) {
  TRY(const CgroupKeys stat, kernel::readCgroupKeys(group, "cpu.stat"));
  into.cpusUserTimeSecs = seconds(find(stat, "user_usec"), kMicro);
  into.cpusSystemTimeSecs = seconds(find(stat, "system_usec"), kMicro);
  readThrottling(stat, "throttled_usec", kMicro, into);
  return {};
}

Result<void> readMemoryV1(const Fd& group, Usage& into) {
  TRY(const CgroupKeys stat, kernel::readCgroupKeys(group, "memory.stat"));
  into.memTotalBytes = number(group, "memory.usage_in_bytes");
  into.memLimitBytes = limit(group, "memory.limit_in_bytes");
  // "total_" counts groups below, too.
  into.memRssBytes = find(stat, "total_rss");
  into.memAnonBytes = find(stat, "total_rss");
  into.memCacheBytes = find(stat, "total_cache");
  into.memFileBytes = find(stat, "total_cache");
  into.memMappedFileBytes = find(stat, "total_mapped_file");
  into.memSwapBytes = find(stat, "total_swap");
  into.memUnevictableBytes = find(stat, "total_unevictable");
  return {};
}

Result<void> readMemoryV2(const Fd& group, Usage& into) {
  TRY(const CgroupKeys stat, kernel::readCgroupKeys(group, "memory.stat"));
  into.memTotalBytes = number(group, "memory.current");
  into.memLimitBytes = limit(group, "memory.max");
  into.memRssBytes = find(stat, "anon");
  into.memAnonBytes = find(stat, "anon");
  into.memCacheBytes = find(stat, "file");
  into.memFileBytes = find(stat, "file");
  into.memMappedFileBytes = find(stat, "file_mapped");
  into.memSwapBytes = number(group, "memory.swap.current");
  into.memUnevictableBytes = find(stat, "unevictable");
  return {};
}

Result<void> readPids(const Fd& group, Usage& into) {
  TRY(const std::vector<pid_t> processes, kernel::readCgroupIds(group));
  into.processes = static_cast<std::uint32_t>(processes.size());
  into.threads = narrow(number(group, "pids.current"));
  return {};
}

}  // namespace

Result<void> readUsage(const kernel::CgroupLayout& layout, const std::string& path, Usage& into) {
  const auto read = [&](const char* controller, auto readV1, auto readV2) -> Result<void> {
    const kernel::CgroupHierarchy* const hierarchy = layout.find(controller);
    if (hierarchy == nullptr) return {};
    TRY(const Fd group, kernel::open(hierarchy->mountPoint + path, O_PATH | O_DIRECTORY));
    return hierarchy->isV2() ? readV2(group, into) : readV1(group, into);
  };
  const auto nothing = [](const Fd&, Usage&) { return Result<void>(); };
  TRY_VOID(read("cpuacct", readCpuTimeV1, nothing));
  TRY_VOID(read("cpu", readCpuV1, readCpuV2));
  TRY_VOID(read("memory", readMemoryV1, readMemoryV2));
  return read("pids", readPids, readPids);
}

}  // namespace gantry::isolators
