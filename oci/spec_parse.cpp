// config.json into values: one function per object of the specification, then the rules that bind members together.
#include <algorithm>
#include <array>
#include <limits>

#include <fmt/format.h>

#include "oci/json.hpp"
#include "oci/spec.hpp"

namespace gantry::oci {
namespace {

constexpr std::array<std::string_view, 8> kNamespaceTypes{"pid", "network", "mount",  "ipc",
                                                          "uts", "user",    "cgroup", "time"};

bool isAbsolute(std::string_view path) {
  return path.starts_with('/');
}

// "1.0.2-dev" is supported, "2.0.0" and "one" are not.
bool isSupportedVersion(std::string_view version) {
  if (!version.starts_with("1.")) return false;
  const std::string_view rest = version.substr(2);
  return !rest.empty() && rest[0] >= '0' && rest[0] <= '9';
}

}  // namespace

// read() is found by the argument's namespace, which an unnamed namespace would hide; hence `static`.

static void read(const JsonValue& json, ConsoleSize& size) {
  json.required("height", size.height);
  json.required("width", size.width);
}

static void read(const JsonValue& json, User& user) {
  json.member("uid", user.uid);
  json.member("gid", user.gid);
  json.member("umask", user.umask);
  json.member("additionalGids", user.additionalGids);
  if (user.umask.value_or(0) > 0777) json.failMember("umask", "is larger than 0777");
  // The kernel reads it as "leave it as it is", which is root.
  const auto refuseHighest = [&](const std::string& name, std::uint32_t id) {
    if (id == std::numeric_limits<std::uint32_t>::max()) json.failMember(name, fmt::format("{} is no id", id));
  };
  refuseHighest("uid", user.uid);
  refuseHighest("gid", user.gid);
  for (std::size_t i = 0; i < user.additionalGids.size(); ++i) {
    refuseHighest(fmt::format("additionalGids[{}]", i), user.additionalGids[i]);
  }
}

static void read(const JsonValue& json, Capabilities& capabilities) {
  json.member("bounding", capabilities.bounding);
  json.member("effective", capabilities.effective);
  json.member("inheritable", capabilities.inheritable);
  json.member("permitted", capabilities.permitted);
  json.member("ambient", capabilities.ambient);
}

static void read(const JsonValue& json, Rlimit& limit) {
  json.required("type", limit.type);
  json.required("soft", limit.soft);
  json.required("hard", limit.hard);
}

static void read(const JsonValue& json, Scheduler& scheduler) {
  json.required("policy", scheduler.policy);
  json.member("nice", scheduler.nice);
  json.member("priority", scheduler.priority);
  json.member("flags", scheduler.flags);
  json.member("runtime", scheduler.runtime);
  json.member("deadline", scheduler.deadline);
  json.member("period", scheduler.period);
}

static void read(const JsonValue& json, IoPriority& priority) {
  json.required("class", priority.ioClass);
  json.member("priority", priority.priority);
}

static void read(const JsonValue& json, ExecCpuAffinity& affinity) {
  json.member("initial", affinity.initial);
  json.member("final", affinity.final);
}

static void read(const JsonValue& json, Process& process) {
  json.member("terminal", process.terminal);
  json.member("consoleSize", process.consoleSize);
  json.member("user", process.user);
  json.required("args", process.args);
  json.member("env", process.env);
  json.required("cwd", process.cwd);
  json.member("capabilities", process.capabilities);
  json.member("rlimits", process.rlimits);
  json.member("noNewPrivileges", process.noNewPrivileges);
  json.member("apparmorProfile", process.apparmorProfile);
  json.member("selinuxLabel", process.selinuxLabel);
  json.member("oomScoreAdj", process.oomScoreAdj);
  json.member("scheduler", process.scheduler);
  json.member("ioPriority", process.ioPriority);
  json.member("execCPUAffinity", process.execCpuAffinity);

  if (process.args.empty()) json.failMember("args", "must not be empty");
  if (!isAbsolute(process.cwd)) {
    json.failMember("cwd", fmt::format("'{}' is not an absolute path", process.cwd));
  }
  for (std::size_t i = 0; i < process.env.size(); ++i) {
    const auto equals = process.env[i].find('=');
    if (equals == std::string::npos || equals == 0) {
      json.failMember(fmt::format("env[{}]", i), fmt::format("'{}' is not of the form name=value", process.env[i]));
    }
  }
  for (std::size_t i = 0; i < process.rlimits.size(); ++i) {
    const std::string where = fmt::format("rlimits[{}]", i);
    const Rlimit& limit = process.rlimits[i];
    if (limit.soft > limit.hard) json.failMember(where, fmt::format("{}: soft is larger than hard", limit.type));
    const auto sameType = [&](const Rlimit& other) { return other.type == limit.type; };
    if (std::count_if(process.rlimits.begin(), process.rlimits.end(), sameType) > 1) {
      json.failMember(where, fmt::format("{} is given twice", limit.type));
    }
  }
}

static void read(const JsonValue& json, Root& root) {
  json.required("path", root.path);
  json.member("readonly", root.readonly);
  if (root.path.empty()) json.failMember("path", "must not be empty");
}

static void read(const JsonValue& json, IdMapping& mapping) {
  json.required("containerID", mapping.containerId);
  json.required("hostID", mapping.hostId);
  json.required("size", mapping.size);
}

static void read(const JsonValue& json, Mount& mount) {
  json.required("destination", mount.destination);
  json.member("type", mount.type);
  json.member("source", mount.source);
  json.member("options", mount.options);
  json.member("uidMappings", mount.uidMappings);
  json.member("gidMappings", mount.gidMappings);
  if (mount.destination.empty()) json.failMember("destination", "must not be empty");
}

static void read(const JsonValue& json, Hook& hook) {
  json.required("path", hook.path);
  json.member("args", hook.args);
  json.member("env", hook.env);
  json.member("timeout", hook.timeout);
  if (!isAbsolute(hook.path)) json.failMember("path", fmt::format("'{}' is not an absolute path", hook.path));
  if (hook.timeout && *hook.timeout <= 0) json.failMember("timeout", "must be greater than zero");
}

static void read(const JsonValue& json, Hooks& hooks) {
  json.member("prestart", hooks.prestart);
  json.member("createRuntime", hooks.createRuntime);
  json.member("createContainer", hooks.createContainer);
  json.member("startContainer", hooks.startContainer);
  json.member("poststart", hooks.poststart);
  json.member("poststop", hooks.poststop);
}

static void read(const JsonValue& json, Namespace& space) {
  json.required("type", space.type);
  json.member("path", space.path);
  if (std::find(kNamespaceTypes.begin(), kNamespaceTypes.end(), space.type) == kNamespaceTypes.end()) {
    json.failMember("type", fmt::format("'{}' is not a namespace type", space.type));
  }
  if (!space.path.empty() && !isAbsolute(space.path)) {
    json.failMember("path", fmt::format("'{}' is not an absolute path", space.path));
  }
}

static void read(const JsonValue& json, Device& device) {
  json.required("path", device.path);
  json.required("type", device.type);
  json.member("major", device.major);
  json.member("minor", device.minor);
  json.member("fileMode", device.fileMode);
  json.member("uid", device.uid);
  json.member("gid", device.gid);
  if (device.type != "c" && device.type != "b" && device.type != "u" && device.type != "p") {
    json.failMember("type", fmt::format("'{}' is not one of c, b, u, p", device.type));
  }
  if (!isAbsolute(device.path)) {
    json.failMember("path", fmt::format("'{}' is not an absolute path", device.path));
  }
}

static void read(const JsonValue& json, DeviceRule& rule) {
  json.required("allow", rule.allow);
  json.member("type", rule.type);
  json.member("major", rule.major);
  json.member("minor", rule.minor);
  json.member("access", rule.access);
  if (!rule.type.empty() && rule.type != "a" && rule.type != "c" && rule.type != "b") {
    json.failMember("type", fmt::format("'{}' is not one of a, c, b", rule.type));
  }
  if (rule.access.find_first_not_of("rwm") != std::string::npos) {
    json.failMember("access", fmt::format("'{}' holds more than r, w and m", rule.access));
  }
}

static void read(const JsonValue& json, Memory& memory) {
  json.member("limit", memory.limit);
  json.member("reservation", memory.reservation);
  json.member("swap", memory.swap);
  json.member("kernel", memory.kernel);
  json.member("kernelTCP", memory.kernelTcp);
  json.member("swappiness", memory.swappiness);
  json.member("disableOOMKiller", memory.disableOomKiller);
  json.member("useHierarchy", memory.useHierarchy);
  json.member("checkBeforeUpdate", memory.checkBeforeUpdate);
}

static void read(const JsonValue& json, Cpu& cpu) {
  json.member("shares", cpu.shares);
  json.member("quota", cpu.quota);
  json.member("burst", cpu.burst);
  json.member("period", cpu.period);
  json.member("realtimeRuntime", cpu.realtimeRuntime);
  json.member("realtimePeriod", cpu.realtimePeriod);
  json.member("cpus", cpu.cpus);
  json.member("mems", cpu.mems);
  json.member("idle", cpu.idle);
}

static void read(const JsonValue& json, WeightDevice& device) {
  json.required("major", device.major);
  json.required("minor", device.minor);
  json.member("weight", device.weight);
  json.member("leafWeight", device.leafWeight);
}

static void read(const JsonValue& json, ThrottleDevice& device) {
  json.required("major", device.major);
  json.required("minor", device.minor);
  json.required("rate", device.rate);
}

static void read(const JsonValue& json, BlockIo& blockIo) {
  json.member("weight", blockIo.weight);
  json.member("leafWeight", blockIo.leafWeight);
  json.member("weightDevice", blockIo.weightDevice);
  json.member("throttleReadBpsDevice", blockIo.throttleReadBpsDevice);
  json.member("throttleWriteBpsDevice", blockIo.throttleWriteBpsDevice);
  json.member("throttleReadIOPSDevice", blockIo.throttleReadIopsDevice);
  json.member("throttleWriteIOPSDevice", blockIo.throttleWriteIopsDevice);
}

static void read(const JsonValue& json, HugepageLimit& limit) {
  json.required("pageSize", limit.pageSize);
  json.required("limit", limit.limit);
}

static void read(const JsonValue& json, InterfacePriority& priority) {
  json.required("name", priority.name);
  json.required("priority", priority.priority);
}

static void read(const JsonValue& json, Network& network) {
  json.member("classID", network.classId);
  json.member("priorities", network.priorities);
}

static void read(const JsonValue& json, Rdma& rdma) {
  json.member("hcaHandles", rdma.hcaHandles);
  json.member("hcaObjects", rdma.hcaObjects);
}

// resources.pids, an object with one member.
struct Pids {
  std::optional<std::int64_t> limit;
};

static void read(const JsonValue& json, Pids& pids) {
  json.member("limit", pids.limit);
}

static void read(const JsonValue& json, Resources& resources) {
  Pids pids;
  json.member("devices", resources.devices);
  json.member("memory", resources.memory);
  json.member("cpu", resources.cpu);
  json.member("pids", pids);
  resources.pidsLimit = pids.limit;
  json.member("blockIO", resources.blockIo);
  json.member("hugepageLimits", resources.hugepageLimits);
  json.member("network", resources.network);
  json.member("rdma", resources.rdma);
  json.member("unified", resources.unified);
}

static void read(const JsonValue& json, SeccompArg& arg) {
  json.required("index", arg.index);
  json.required("value", arg.value);
  json.member("valueTwo", arg.valueTwo);
  json.required("op", arg.op);
}

static void read(const JsonValue& json, SeccompSyscall& syscall) {
  json.required("names", syscall.names);
  json.required("action", syscall.action);
  json.member("errnoRet", syscall.errnoRet);
  json.member("args", syscall.args);
  if (syscall.names.empty()) json.failMember("names", "must not be empty");
}

static void read(const JsonValue& json, Seccomp& seccomp) {
  json.required("defaultAction", seccomp.defaultAction);
  json.member("defaultErrnoRet", seccomp.defaultErrnoRet);
  json.member("architectures", seccomp.architectures);
  json.member("flags", seccomp.flags);
  json.member("listenerPath", seccomp.listenerPath);
  json.member("listenerMetadata", seccomp.listenerMetadata);
  json.member("syscalls", seccomp.syscalls);
}

static void read(const JsonValue& json, IntelRdt& rdt) {
  json.member("closID", rdt.closId);
  json.member("schemata", rdt.schemata);
  json.member("l3CacheSchema", rdt.l3CacheSchema);
  json.member("memBwSchema", rdt.memBwSchema);
  json.member("enableMonitoring", rdt.enableMonitoring);
}

static void read(const JsonValue& json, Personality& personality) {
  json.required("domain", personality.domain);
  json.member("flags", personality.flags);
}

static void read(const JsonValue& json, TimeOffset& offset) {
  json.member("secs", offset.secs);
  json.member("nanosecs", offset.nanosecs);
}

static void read(const JsonValue& json, NetDevice& device) {
  json.member("name", device.name);
}

static void read(const JsonValue& json, Linux& linux) {
  json.member("uidMappings", linux.uidMappings);
  json.member("gidMappings", linux.gidMappings);
  json.member("sysctl", linux.sysctl);
  json.member("resources", linux.resources);
  json.member("cgroupsPath", linux.cgroupsPath);
  json.member("namespaces", linux.namespaces);
  json.member("devices", linux.devices);
  json.member("netDevices", linux.netDevices);
  json.member("seccomp", linux.seccomp);
  json.member("rootfsPropagation", linux.rootfsPropagation);
  json.member("maskedPaths", linux.maskedPaths);
  json.member("readonlyPaths", linux.readonlyPaths);
  json.member("mountLabel", linux.mountLabel);
  json.member("intelRdt", linux.intelRdt);
  json.member("personality", linux.personality);
  json.member("timeOffsets", linux.timeOffsets);

  for (std::size_t i = 0; i < linux.namespaces.size(); ++i) {
    const auto sameType = [&](const Namespace& other) { return other.type == linux.namespaces[i].type; };
    if (std::count_if(linux.namespaces.begin(), linux.namespaces.end(), sameType) > 1) {
      json.failMember(fmt::format("namespaces[{}].type", i),
                      fmt::format("'{}' is given twice", linux.namespaces[i].type));
    }
  }
}

static void read(const JsonValue& json, Spec& spec) {
  json.required("ociVersion", spec.ociVersion);
  if (!isSupportedVersion(spec.ociVersion)) {
    json.failMember("ociVersion", fmt::format("'{}' is not supported (1.x)", spec.ociVersion));
  }
  json.member("root", spec.root);
  json.member("hostname", spec.hostname);
  json.member("domainname", spec.domainname);
  json.member("mounts", spec.mounts);
  json.member("process", spec.process);
  json.member("hooks", spec.hooks);
  json.member("annotations", spec.annotations);
  json.member("linux", spec.linux);
}

Result<Spec> parseSpec(std::string_view json) {
  return parseJson<Spec>(json);
}

Result<Process> parseProcess(std::string_view json) {
  return parseJson<Process>(json);
}

Result<Resources> parseResources(std::string_view json) {
  return parseJson<Resources>(json);
}

}  // namespace gantry::oci
