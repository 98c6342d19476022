#include "isolators/cgroups/limits.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "kernel/file.hpp"

namespace gantry::isolators {
namespace {

constexpr std::int64_t kPeriodMicroseconds = 100'000;
// The kernel's smallest quota.
constexpr std::int64_t kSmallestQuota = 1'000;
constexpr double kSharesPerCpu = 1024;
constexpr double kWeightPerCpu = 100;
// A program cannot even be loaded with less.
constexpr Bytes kSmallestMemory = Bytes::mebi(4);
constexpr Bytes kNoCeiling{UINT64_MAX};
// What oom_score_adj(5) allows, less one on either side: root's own processes go before and after.
constexpr double kMostLikely = 999;
constexpr double kLeastLikely = 3;

Error unsupported(std::string_view field, std::string_view reason) {
  return Error(Code::Unsupported, fmt::format("{}: {}", field, reason));
}

Result<void> checkCpus(const Resources& resources, const CgroupHost& host) {
  if (resources.cpus) {
    if (!std::isfinite(*resources.cpus) || *resources.cpus <= 0)
      return Error::invalid("resources[cpus]", "must be > 0");
    if (host.layout.find("cpu") == nullptr) return unsupported("resources[cpus]", "this host has no cpu controller");
  }
  if (!resources.cpusLimit) return {};
  if (std::isnan(*resources.cpusLimit) || *resources.cpusLimit <= 0) {
    return Error::invalid("limits[cpus]", "must be > 0");
  }
  if (resources.cpus && *resources.cpusLimit < *resources.cpus) {
    return Error::invalid("limits[cpus]",
                          fmt::format("{} is below the request of {}", *resources.cpusLimit, *resources.cpus));
  }
  if (std::isinf(*resources.cpusLimit)) return {};
  if (host.layout.find("cpu") == nullptr) return unsupported("limits[cpus]", "this host has no cpu controller");
  if (!host.hasCpuQuota) return unsupported("limits[cpus]", "this kernel has no CPU quota (CONFIG_CFS_BANDWIDTH)");
  return {};
}

Result<void> checkMemorySize(Bytes size, std::string_view field, const CgroupHost& host) {
  if (size < kSmallestMemory) {
    return Error::invalid(field, fmt::format("must be at least {}", toString(kSmallestMemory)));
  }
  // memory.limit_in_bytes is signed.
  if (size.count > INT64_MAX) return Error::invalid(field, "is more than the kernel can count");
  if (host.layout.find("memory") == nullptr) return unsupported(field, "this host has no memory controller");
  return {};
}

Result<void> checkMemory(const Resources& resources, const CgroupHost& host) {
  if (resources.memory) TRY_VOID(checkMemorySize(*resources.memory, "resources[mem]", host));
  if (!resources.memoryLimit || *resources.memoryLimit == kNoCeiling) return {};
  if (resources.memory && *resources.memoryLimit < *resources.memory) {
    return Error::invalid("limits[mem]", fmt::format("{} is below the request of {}", toString(*resources.memoryLimit),
                                                     toString(*resources.memory)));
  }
  return checkMemorySize(*resources.memoryLimit, "limits[mem]", host);
}

// The hard limit; nothing when there is none.
std::optional<Bytes> memoryCeiling(const Resources& resources) {
  if (resources.memoryLimit) {
    return *resources.memoryLimit == kNoCeiling ? std::nullopt : std::optional<Bytes>(*resources.memoryLimit);
  }
  return resources.memory;
}

bool isBurstable(const Resources& resources) {
  return resources.memory && resources.memoryLimit && *resources.memoryLimit > *resources.memory;
}

std::int64_t toSigned(Bytes size) {
  return static_cast<std::int64_t>(size.count);
}

void limitMemory(const Resources& resources, const CgroupHost& host, oci::Resources& limits) {
  const std::optional<Bytes> ceiling = memoryCeiling(resources);
  const bool isV2 = host.isV2("memory");
  oci::Memory memory;
  if (ceiling) {
    memory.limit = toSigned(*ceiling);
    if (host.limitsSwap) memory.swap = toSigned(*ceiling);
  }
  // v1's soft limit only matters below the hard one.
  if (resources.memory && (isV2 || !ceiling || *ceiling > *resources.memory)) {
    memory.reservation = toSigned(*resources.memory);
  }
  if (memory != oci::Memory{}) limits.memory = memory;
  if (isV2) limits.unified["memory.oom.group"] = "1";
}

void limitCpus(const Resources& resources, const CgroupHost& host, const CgroupSettings& settings,
               oci::Resources& limits) {
  oci::Cpu cpu;
  if (resources.cpus && host.isV2("cpu")) {
    const double weight = std::clamp(std::round(kWeightPerCpu * *resources.cpus), 1.0, 10000.0);
    limits.unified["cpu.weight"] = fmt::format("{:.0f}", weight);
  } else if (resources.cpus) {
    cpu.shares = static_cast<std::uint64_t>(std::clamp(kSharesPerCpu * *resources.cpus, 2.0, 262144.0));
  }
  std::optional<double> ceiling = resources.cpusLimit;
  if (!ceiling && settings.capCpus && host.hasCpuQuota) ceiling = resources.cpus;
  if (ceiling && std::isfinite(*ceiling)) {
    cpu.period = kPeriodMicroseconds;
    const double quota = std::min(*ceiling, 1e9) * static_cast<double>(kPeriodMicroseconds);
    cpu.quota = std::max(kSmallestQuota, static_cast<std::int64_t>(quota));
  }
  if (cpu != oci::Cpu{}) limits.cpu = cpu;
}

std::vector<oci::DeviceRule> dockerDevices() {
  const auto allow = [](const char* type, std::optional<std::int64_t> major, std::optional<std::int64_t> minor,
                        const char* access) { return oci::DeviceRule{true, type, major, minor, access}; };
  return {
      {false, "a", {}, {}, "rwm"}, allow("c", {}, {}, "m"),  // making any node; using it is another matter
      allow("b", {}, {}, "m"),     allow("c", 1, 3, "rwm"),  // null
      allow("c", 1, 5, "rwm"),                               // zero
      allow("c", 1, 7, "rwm"),                               // full
      allow("c", 1, 8, "rwm"),                               // random
      allow("c", 1, 9, "rwm"),                               // urandom
      allow("c", 5, 0, "rwm"),                               // tty
      allow("c", 5, 1, "rwm"),                               // console
      allow("c", 5, 2, "rwm"),                               // ptmx
      allow("c", 136, {}, "rwm"),                            // pts
  };
}

bool groupHas(const kernel::CgroupHierarchy& hierarchy, const std::string& file) {
  return kernel::exists(fmt::format("{}{}/{}", hierarchy.mountPoint, hierarchy.self, file));
}

// The v2 root group has none of the limits' files, so that one has to look at a kernel older than any we support.
bool detectsQuota(const kernel::CgroupLayout& layout) {
  const kernel::CgroupHierarchy* const cpu = layout.find("cpu");
  return cpu != nullptr && (cpu->isV2() || groupHas(*cpu, "cpu.cfs_quota_us"));
}

bool detectsSwapLimit(const kernel::CgroupLayout& layout) {
  const kernel::CgroupHierarchy* const memory = layout.find("memory");
  if (memory == nullptr || !kernel::exists("/proc/swaps")) return false;
  return memory->isV2() || groupHas(*memory, "memory.memsw.limit_in_bytes");
}

}  // namespace

Result<CgroupHost> CgroupHost::detect() {
  CgroupHost host;
  TRY(host.layout, kernel::CgroupLayout::detect());
  host.hasCpuQuota = detectsQuota(host.layout);
  host.limitsSwap = detectsSwapLimit(host.layout);
  TRY(const std::string info, kernel::readFile("/proc/meminfo"));
  // "MemTotal:       24576000 kB" is the first line.
  const auto digits = info.find_first_of("0123456789");
  if (digits == std::string::npos) return Error(Code::Internal, "read '/proc/meminfo': has no MemTotal");
  host.memory = Bytes::kibi(std::strtoull(info.c_str() + digits, nullptr, 10));
  return host;
}

bool CgroupHost::isV2(std::string_view controller) const {
  const kernel::CgroupHierarchy* const hierarchy = layout.find(controller);
  return hierarchy != nullptr && hierarchy->isV2();
}

Result<void> checkLimits(const Resources& resources, const CgroupHost& host) {
  TRY_VOID(checkCpus(resources, host));
  TRY_VOID(checkMemory(resources, host));
  if (resources.pids) {
    // The kernel counts in an int, and pid_max is below.
    if (*resources.pids == 0 || *resources.pids > 4194304) {
      return Error::invalid("resources[pids]", "must be 1 to 4194304");
    }
    if (host.layout.find("pids") == nullptr) return unsupported("resources[pids]", "this host has no pids controller");
  }
  if (resources.disk && resources.disk->count != 0) {
    return unsupported("resources[disk]",
                       "this host cannot limit disk space: the work directory has no project quotas");
  }
  return {};
}

oci::Resources limitsFor(const ContainerRequest& request, const CgroupHost& host, const CgroupSettings& settings) {
  oci::Resources limits;
  limitCpus(request.resources, host, settings, limits);
  limitMemory(request.resources, host, limits);
  if (host.layout.find("pids") != nullptr) {
    limits.pidsLimit = static_cast<std::int64_t>(request.resources.pids.value_or(settings.defaultPids));
  }
  limits.devices =
      request.security.privileged ? std::vector<oci::DeviceRule>{{true, "a", {}, {}, "rwm"}} : dockerDevices();
  return limits;
}

std::optional<int> oomScoreFor(const Resources& resources, Bytes hostMemory) {
  if (!isBurstable(resources) || hostMemory.count == 0) return std::nullopt;
  const double share = static_cast<double>(resources.memory->count) / static_cast<double>(hostMemory.count);
  return static_cast<int>(std::clamp(std::round(1000 * (1 - share)), kLeastLikely, kMostLikely));
}

}  // namespace gantry::isolators
