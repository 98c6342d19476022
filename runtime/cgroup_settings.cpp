#include "runtime/cgroup_settings.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>

#include <fmt/format.h>

namespace gantry::runtime {
namespace {

constexpr std::string_view kPrefix = "linux.resources";
constexpr std::uint64_t kMaxShares = 262144;

std::string nameOf(std::string_view member) {
  return fmt::format("{}.{}", kPrefix, member);
}

Error unsupported(std::string_view member, std::string_view reason) {
  return Error(Code::Unsupported, fmt::format("{}: {}", nameOf(member), reason));
}

Error invalid(std::string_view member, std::string_view reason) {
  return Error::invalid(nameOf(member), reason);
}

// Gathers the settings of one controller.
class Writer {
 public:
  explicit Writer(std::vector<CgroupSetting>& settings) : settings_(settings) {}

  template <typename Value>
  void set(std::string file, const Value& value, std::string_view member, bool optional = false) {
    settings_.push_back({std::move(file), fmt::format("{}", value), nameOf(member), optional});
  }
  CgroupSetting& last() { return settings_.back(); }

 private:
  std::vector<CgroupSetting>& settings_;
};

// Engines write zero for a number that nobody asked for.
template <typename Number>
bool given(const std::optional<Number>& member) {
  return member.has_value() && *member != 0;
}

Result<void> memoryV1(const oci::Memory& memory, const CgroupFacts& facts, Writer& out) {
  if (given(memory.limit)) out.set("memory.limit_in_bytes", *memory.limit, "memory.limit");
  if (given(memory.swap)) {
    if (*memory.swap > 0 && given(memory.limit) && *memory.limit > *memory.swap) {
      return invalid("memory.swap", "is memory and swap together and must not be below memory.limit");
    }
    const bool noSwapWanted = memory.swap == memory.limit;
    out.set("memory.memsw.limit_in_bytes", *memory.swap, "memory.swap",
            *memory.swap < 0 || (noSwapWanted && !facts.hasSwap));
  } else if (memory.limit == -1) {
    // The kernel wants memory <= memory and swap.
    out.set("memory.memsw.limit_in_bytes", -1, "memory.limit", true);
  }
  if (given(memory.reservation)) out.set("memory.soft_limit_in_bytes", *memory.reservation, "memory.reservation");
  if (given(memory.kernel)) {
    out.set("memory.kmem.limit_in_bytes", *memory.kernel, "memory.kernel");
    out.last().mayBeIgnored = *memory.kernel > 0;
  }
  if (given(memory.kernelTcp)) out.set("memory.kmem.tcp.limit_in_bytes", *memory.kernelTcp, "memory.kernelTCP");
  if (memory.swappiness) {
    if (*memory.swappiness > 100) return invalid("memory.swappiness", "must be 0 to 100");
    out.set("memory.swappiness", *memory.swappiness, "memory.swappiness");
  }
  if (memory.disableOomKiller) {
    out.set("memory.oom_control", *memory.disableOomKiller ? 1 : 0, "memory.disableOOMKiller");
  }
  if (memory.useHierarchy) out.set("memory.use_hierarchy", *memory.useHierarchy ? 1 : 0, "memory.useHierarchy");
  return {};
}

std::string maxOr(std::int64_t value) {
  return value < 0 ? "max" : fmt::format("{}", value);
}

Result<void> swapV2(const oci::Memory& memory, const CgroupFacts& facts, Writer& out) {
  if (!given(memory.swap)) {
    if (memory.limit == -1) out.set("memory.swap.max", "max", "memory.limit", true);
    return {};
  }
  if (*memory.swap < 0) {
    out.set("memory.swap.max", "max", "memory.swap", true);
    return {};
  }
  if (!given(memory.limit) || *memory.limit < 0) {
    return invalid("memory.swap", "is memory and swap together and needs memory.limit");
  }
  if (*memory.swap < *memory.limit) {
    return invalid("memory.swap", "is memory and swap together and must not be below memory.limit");
  }
  const std::int64_t swap = *memory.swap - *memory.limit;
  out.set("memory.swap.max", swap, "memory.swap", swap == 0 && !facts.hasSwap);
  return {};
}

Result<void> memoryV2(const oci::Memory& memory, const CgroupFacts& facts, Writer& out) {
  if (given(memory.kernel)) return unsupported("memory.kernel", "cgroup v2 has no limit on kernel memory alone");
  if (given(memory.kernelTcp)) return unsupported("memory.kernelTCP", "cgroup v2 has no limit on TCP memory alone");
  if (memory.swappiness) return unsupported("memory.swappiness", "cgroup v2 has no swappiness per group");
  if (memory.disableOomKiller == true) {
    return unsupported("memory.disableOOMKiller", "cgroup v2 cannot turn the OOM killer off");
  }
  if (memory.useHierarchy == false) return unsupported("memory.useHierarchy", "cgroup v2 is always hierarchical");
  TRY_VOID(swapV2(memory, facts, out));
  if (given(memory.limit)) out.set("memory.max", maxOr(*memory.limit), "memory.limit");
  if (given(memory.reservation)) out.set("memory.low", maxOr(*memory.reservation), "memory.reservation");
  return {};
}

Result<void> checkShares(const oci::Cpu& cpu) {
  if (given(cpu.shares) && (*cpu.shares < 2 || *cpu.shares > kMaxShares)) {
    return invalid("cpu.shares", fmt::format("must be 2 to {}", kMaxShares));
  }
  return {};
}

Result<void> cpuV1(const oci::Cpu& cpu, const CgroupFacts&, Writer& out) {
  TRY_VOID(checkShares(cpu));
  // The kernel takes no shares while a group is idle.
  if (cpu.idle == 0) out.set("cpu.idle", 0, "cpu.idle", true);
  if (given(cpu.shares)) out.set("cpu.shares", *cpu.shares, "cpu.shares");
  if (given(cpu.idle)) out.set("cpu.idle", *cpu.idle, "cpu.idle");
  if (given(cpu.period)) out.set("cpu.cfs_period_us", *cpu.period, "cpu.period");
  if (given(cpu.quota)) out.set("cpu.cfs_quota_us", *cpu.quota, "cpu.quota");
  if (cpu.burst) out.set("cpu.cfs_burst_us", *cpu.burst, "cpu.burst", *cpu.burst == 0);
  if (given(cpu.realtimePeriod)) out.set("cpu.rt_period_us", *cpu.realtimePeriod, "cpu.realtimePeriod");
  if (given(cpu.realtimeRuntime)) out.set("cpu.rt_runtime_us", *cpu.realtimeRuntime, "cpu.realtimeRuntime");
  return {};
}

Result<void> cpuV2(const oci::Cpu& cpu, const CgroupFacts& facts, Writer& out) {
  TRY_VOID(checkShares(cpu));
  if (given(cpu.realtimeRuntime)) return unsupported("cpu.realtimeRuntime", "cgroup v2 has no real-time budget");
  if (given(cpu.realtimePeriod)) return unsupported("cpu.realtimePeriod", "cgroup v2 has no real-time budget");
  if (cpu.idle == 0) out.set("cpu.idle", 0, "cpu.idle", true);
  if (given(cpu.shares)) out.set("cpu.weight", weightFromShares(*cpu.shares), "cpu.shares");
  if (given(cpu.idle)) out.set("cpu.idle", *cpu.idle, "cpu.idle");
  if (given(cpu.quota)) {
    const std::string quota = maxOr(*cpu.quota);
    out.set("cpu.max", given(cpu.period) ? fmt::format("{} {}", quota, *cpu.period) : quota, "cpu.quota");
  } else if (given(cpu.period)) {
    const std::string now = facts.current("cpu", "cpu.max");
    const std::string quota = now.substr(0, now.find(' '));
    out.set("cpu.max", fmt::format("{} {}", quota.empty() ? "max" : quota, *cpu.period), "cpu.period");
  }
  if (cpu.burst) out.set("cpu.max.burst", *cpu.burst, "cpu.burst", *cpu.burst == 0);
  return {};
}

Result<void> cpuset(const oci::Cpu& cpu, const CgroupFacts&, Writer& out) {
  if (!cpu.cpus.empty()) out.set("cpuset.cpus", cpu.cpus, "cpu.cpus");
  if (!cpu.mems.empty()) out.set("cpuset.mems", cpu.mems, "cpu.mems");
  return {};
}

Result<void> pids(std::int64_t limit, Writer& out) {
  out.set("pids.max", maxOr(limit), "pids.limit");
  return {};
}

template <typename Device>
std::string numberOf(const Device& device) {
  return fmt::format("{}:{}", device.major, device.minor);
}

// Weights of 10 to 1000 belong to the schedulers CFQ (gone in Linux 5.0) and BFQ.
Result<void> checkWeight(std::uint16_t weight, std::string_view member) {
  if (weight < 10 || weight > 1000) return invalid(member, "must be 10 to 1000");
  return {};
}

struct Throttle {
  std::vector<oci::ThrottleDevice> oci::BlockIo::* devices;
  const char* nameV1;
  const char* keyV2;
  const char* member;
};

constexpr std::array<Throttle, 4> kThrottles{{
    {&oci::BlockIo::throttleReadBpsDevice, "read_bps", "rbps", "blockIO.throttleReadBpsDevice"},
    {&oci::BlockIo::throttleWriteBpsDevice, "write_bps", "wbps", "blockIO.throttleWriteBpsDevice"},
    {&oci::BlockIo::throttleReadIopsDevice, "read_iops", "riops", "blockIO.throttleReadIOPSDevice"},
    {&oci::BlockIo::throttleWriteIopsDevice, "write_iops", "wiops", "blockIO.throttleWriteIOPSDevice"},
}};

Result<void> blockIoV1(const oci::BlockIo& io, const CgroupFacts& facts, Writer& out) {
  const bool hasBfq = !facts.current("blkio", "blkio.bfq.weight").empty();
  if (given(io.weight)) {
    TRY_VOID(checkWeight(*io.weight, "blockIO.weight"));
    out.set(hasBfq ? "blkio.bfq.weight" : "blkio.weight", *io.weight, "blockIO.weight");
  }
  if (given(io.leafWeight)) out.set("blkio.leaf_weight", *io.leafWeight, "blockIO.leafWeight");
  for (const oci::WeightDevice& device : io.weightDevice) {
    if (given(device.weight)) {
      TRY_VOID(checkWeight(*device.weight, "blockIO.weightDevice.weight"));
      out.set(hasBfq ? "blkio.bfq.weight_device" : "blkio.weight_device",
              fmt::format("{} {}", numberOf(device), *device.weight), "blockIO.weightDevice");
    }
    if (given(device.leafWeight)) {
      out.set("blkio.leaf_weight_device", fmt::format("{} {}", numberOf(device), *device.leafWeight),
              "blockIO.weightDevice");
    }
  }
  for (const Throttle& throttle : kThrottles) {
    for (const oci::ThrottleDevice& device : io.*throttle.devices) {
      const std::string file = fmt::format("blkio.throttle.{}_device", throttle.nameV1);
      out.set(file, fmt::format("{} {}", numberOf(device), device.rate), throttle.member);
    }
  }
  return {};
}

Result<void> blockIoV2(const oci::BlockIo& io, const CgroupFacts& facts, Writer& out) {
  if (given(io.leafWeight)) return unsupported("blockIO.leafWeight", "cgroup v2 has no leaf weights");
  const bool hasBfq = !facts.current("io", "io.bfq.weight").empty();
  // io.weight is 1 to 10000 around 100 as blkio.weight is 10 to 1000 around 100.
  const auto weightOf = [&](std::uint16_t weight) { return hasBfq ? weight : 1U + (weight - 10U) * 9999U / 990U; };
  const std::string file = hasBfq ? "io.bfq.weight" : "io.weight";
  if (given(io.weight)) {
    TRY_VOID(checkWeight(*io.weight, "blockIO.weight"));
    out.set(file, weightOf(*io.weight), "blockIO.weight");
  }
  for (const oci::WeightDevice& device : io.weightDevice) {
    if (given(device.leafWeight)) return unsupported("blockIO.weightDevice", "cgroup v2 has no leaf weights");
    if (!given(device.weight)) continue;
    TRY_VOID(checkWeight(*device.weight, "blockIO.weightDevice.weight"));
    out.set(file, fmt::format("{} {}", numberOf(device), weightOf(*device.weight)), "blockIO.weightDevice");
  }
  for (const Throttle& throttle : kThrottles) {
    for (const oci::ThrottleDevice& device : io.*throttle.devices) {
      const std::string rate = device.rate == 0 ? "max" : fmt::format("{}", device.rate);
      out.set("io.max", fmt::format("{} {}={}", numberOf(device), throttle.keyV2, rate), throttle.member);
    }
  }
  return {};
}

// "2MB", "1GB", "64KB": it becomes a part of a file's name.
bool isPageSize(std::string_view text) {
  if (text.size() < 3 || text.back() != 'B') return false;
  const char unit = text[text.size() - 2];
  const std::string_view digits = text.substr(0, text.size() - 2);
  return (unit == 'K' || unit == 'M' || unit == 'G') &&
         std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Result<void> hugepages(const std::vector<oci::HugepageLimit>& limits, CgroupVersion version, Writer& out) {
  const char* suffix = version == CgroupVersion::V1 ? "limit_in_bytes" : "max";
  for (std::size_t index = 0; index < limits.size(); ++index) {
    const std::string member = fmt::format("hugepageLimits[{}]", index);
    if (!isPageSize(limits[index].pageSize)) {
      return invalid(member + ".pageSize", fmt::format("'{}' is not a size such as 2MB", limits[index].pageSize));
    }
    out.set(fmt::format("hugetlb.{}.{}", limits[index].pageSize, suffix), limits[index].limit, member);
    out.set(fmt::format("hugetlb.{}.rsvd.{}", limits[index].pageSize, suffix), limits[index].limit, member, true);
  }
  return {};
}

Result<void> rdma(const std::map<std::string, oci::Rdma>& limits, Writer& out) {
  for (const auto& [device, limit] : limits) {
    std::string line = device;
    if (limit.hcaHandles) line += fmt::format(" hca_handle={}", *limit.hcaHandles);
    if (limit.hcaObjects) line += fmt::format(" hca_object={}", *limit.hcaObjects);
    out.set("rdma.max", line, fmt::format("rdma[{}]", device));
  }
  return {};
}

class Translation {
 public:
  explicit Translation(const CgroupFacts& facts) : facts_(facts) {}

  // `fill` gets the version of the controller's hierarchy and writes its settings.
  template <typename Fill>
  Result<void> controller(std::string name, std::string_view member, Fill fill) {
    auto version = facts_.versionOf(name);
    ControllerSettings group{std::move(name), {}};
    if (!version) {
      // Fine when nothing is asked for: engines write whole members of zeros.
      Writer wanted(group.settings);
      const bool asksNothing =
          fill(CgroupVersion::V2, wanted).has_value() &&
          std::all_of(group.settings.begin(), group.settings.end(), [](const auto& one) { return one.optional; });
      if (asksNothing) return {};
      return std::move(version).error().under(nameOf(member));
    }
    Writer out(group.settings);
    TRY_VOID(fill(*version, out));
    if (!group.settings.empty()) all_.push_back(std::move(group));
    return {};
  }

  std::vector<ControllerSettings> take() { return std::move(all_); }

 private:
  const CgroupFacts& facts_;
  std::vector<ControllerSettings> all_;
};

Result<void> translateNetwork(const oci::Network& network, Translation& translation) {
  if (given(network.classId)) {
    TRY_VOID(translation.controller("net_cls", "network.classID", [&](CgroupVersion, Writer& out) -> Result<void> {
      out.set("net_cls.classid", *network.classId, "network.classID");
      return {};
    }));
  }
  if (!network.priorities.empty()) {
    TRY_VOID(translation.controller("net_prio", "network.priorities", [&](CgroupVersion, Writer& out) -> Result<void> {
      for (const oci::InterfacePriority& entry : network.priorities) {
        out.set("net_prio.ifpriomap", fmt::format("{} {}", entry.name, entry.priority), "network.priorities");
      }
      return {};
    }));
  }
  return {};
}

// linux.resources.unified: files of cgroup v2 by name, given last so that they win. A value of several lines is several
// writes, as nested keyed files want it.
Result<void> translateUnified(const std::map<std::string, std::string>& files, const CgroupFacts& facts,
                              Translation& translation) {
  for (const auto& [file, value] : files) {
    const std::string member = fmt::format("unified[{}]", file);
    const std::string controller = file.substr(0, file.find('.'));
    if (file.find('/') != std::string::npos || controller.empty() || controller.size() == file.size()) {
      return invalid(member, "is not the name of a cgroup v2 file");
    }
    // The files that move processes or shape the tree belong to the runtime.
    if (file == "cgroup.procs" || file == "cgroup.threads" || file == "cgroup.kill" || file == "cgroup.type") {
      return invalid(member, "is not a resource");
    }
    const auto version = facts.versionOf(controller);
    if (version && *version == CgroupVersion::V1) {
      return unsupported(member, fmt::format("the {} controller is in a cgroup v1 hierarchy", controller));
    }
    const auto fill = [&](CgroupVersion, Writer& out) -> Result<void> {
      std::string_view rest = value;
      do {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        out.set(file, line, member);
      } while (!rest.empty());
      return {};
    };
    TRY_VOID(translation.controller(controller, member, fill));
  }
  return {};
}

}  // namespace

unsigned weightFromShares(unsigned long long shares) {
  const double bounded = static_cast<double>(std::clamp<unsigned long long>(shares, 2, kMaxShares));
  const double bits = std::log2(bounded);
  // The parabola over log2 through the three points of the header.
  const double exponent = (bits * bits + 125 * bits) / 612.0 - 7.0 / 34.0;
  return static_cast<unsigned>(std::clamp(std::ceil(std::pow(10.0, exponent) - 1e-9), 1.0, 10000.0));
}

Result<std::vector<ControllerSettings>> translateResources(const oci::Resources& resources, const CgroupFacts& facts) {
  Translation translation(facts);
  if (resources.memory) {
    TRY_VOID(translation.controller("memory", "memory", [&](CgroupVersion version, Writer& out) {
      return version == CgroupVersion::V1 ? memoryV1(*resources.memory, facts, out)
                                          : memoryV2(*resources.memory, facts, out);
    }));
  }
  if (resources.cpu) {
    const oci::Cpu& cpu = *resources.cpu;
    if (!cpu.cpus.empty() || !cpu.mems.empty()) {
      TRY_VOID(translation.controller("cpuset", cpu.cpus.empty() ? "cpu.mems" : "cpu.cpus",
                                      [&](CgroupVersion, Writer& out) { return cpuset(cpu, facts, out); }));
    }
    oci::Cpu others = cpu;
    others.cpus.clear();
    others.mems.clear();
    if (others != oci::Cpu{}) {
      TRY_VOID(translation.controller("cpu", "cpu", [&](CgroupVersion version, Writer& out) {
        return version == CgroupVersion::V1 ? cpuV1(cpu, facts, out) : cpuV2(cpu, facts, out);
      }));
    }
  }
  if (given(resources.pidsLimit)) {
    TRY_VOID(translation.controller("pids", "pids.limit",
                                    [&](CgroupVersion, Writer& out) { return pids(*resources.pidsLimit, out); }));
  }
  if (resources.blockIo && *resources.blockIo != oci::BlockIo{}) {
    const bool isV1 = [&] {
      const auto version = facts.versionOf("blkio");
      return version && *version == CgroupVersion::V1;
    }();
    TRY_VOID(translation.controller(isV1 ? "blkio" : "io", "blockIO", [&](CgroupVersion version, Writer& out) {
      return version == CgroupVersion::V1 ? blockIoV1(*resources.blockIo, facts, out)
                                          : blockIoV2(*resources.blockIo, facts, out);
    }));
  }
  if (!resources.hugepageLimits.empty()) {
    TRY_VOID(translation.controller("hugetlb", "hugepageLimits", [&](CgroupVersion version, Writer& out) {
      return hugepages(resources.hugepageLimits, version, out);
    }));
  }
  if (resources.network) TRY_VOID(translateNetwork(*resources.network, translation));
  if (!resources.rdma.empty()) {
    TRY_VOID(
        translation.controller("rdma", "rdma", [&](CgroupVersion, Writer& out) { return rdma(resources.rdma, out); }));
  }
  TRY_VOID(translateUnified(resources.unified, facts, translation));
  return translation.take();
}

}  // namespace gantry::runtime
