// Values into config.json: one function per object of the specification, members in the specification's order.
#include <type_traits>

#include "oci/json.hpp"
#include "oci/spec.hpp"

namespace gantry::oci {
namespace {

// An object, an optional one, or a list of them, each written by the write() of its type; left out when empty.
template <typename T>
void object(JsonWriter& json, std::string_view name, const T& value) {
  json.open('{', name);
  write(json, value);
  json.close();
}

template <typename T>
void object(JsonWriter& json, std::string_view name, const std::optional<T>& value) {
  if (value) object(json, name, *value);
}

template <typename T>
void objects(JsonWriter& json, std::string_view name, const std::vector<T>& values) {
  if (values.empty()) return;
  json.open('[', name);
  for (const T& value : values) object(json, {}, value);
  json.close();
}

template <typename T>
void objects(JsonWriter& json, std::string_view name, const std::map<std::string, T>& values) {
  if (values.empty()) return;
  json.open('{', name);
  for (const auto& [key, value] : values) object(json, key, value);
  json.close();
}

}  // namespace

static void write(JsonWriter& json, const ConsoleSize& size) {
  json.member("height", size.height).member("width", size.width);
}

static void write(JsonWriter& json, const User& user) {
  json.member("uid", user.uid).member("gid", user.gid).optional("umask", user.umask);
  json.optional("additionalGids", user.additionalGids);
}

static void write(JsonWriter& json, const Capabilities& capabilities) {
  json.optional("bounding", capabilities.bounding).optional("effective", capabilities.effective);
  json.optional("inheritable", capabilities.inheritable).optional("permitted", capabilities.permitted);
  json.optional("ambient", capabilities.ambient);
}

static void write(JsonWriter& json, const Rlimit& limit) {
  json.member("type", limit.type).member("hard", limit.hard).member("soft", limit.soft);
}

static void write(JsonWriter& json, const Scheduler& scheduler) {
  json.member("policy", scheduler.policy).optional("nice", scheduler.nice).optional("priority", scheduler.priority);
  json.optional("flags", scheduler.flags).optional("runtime", scheduler.runtime);
  json.optional("deadline", scheduler.deadline).optional("period", scheduler.period);
}

static void write(JsonWriter& json, const IoPriority& priority) {
  json.member("class", priority.ioClass).member("priority", priority.priority);
}

static void write(JsonWriter& json, const ExecCpuAffinity& affinity) {
  json.optional("initial", affinity.initial).optional("final", affinity.final);
}

static void write(JsonWriter& json, const Process& process) {
  json.optional("terminal", process.terminal);
  object(json, "consoleSize", process.consoleSize);
  object(json, "user", process.user);
  json.member("args", process.args).optional("env", process.env).member("cwd", process.cwd);
  object(json, "capabilities", process.capabilities);
  objects(json, "rlimits", process.rlimits);
  json.optional("noNewPrivileges", process.noNewPrivileges).optional("apparmorProfile", process.apparmorProfile);
  json.optional("selinuxLabel", process.selinuxLabel).optional("oomScoreAdj", process.oomScoreAdj);
  object(json, "scheduler", process.scheduler);
  object(json, "ioPriority", process.ioPriority);
  object(json, "execCPUAffinity", process.execCpuAffinity);
}

static void write(JsonWriter& json, const Root& root) {
  json.member("path", root.path).optional("readonly", root.readonly);
}

static void write(JsonWriter& json, const IdMapping& mapping) {
  json.member("containerID", mapping.containerId).member("hostID", mapping.hostId).member("size", mapping.size);
}

static void write(JsonWriter& json, const Mount& mount) {
  json.member("destination", mount.destination).optional("type", mount.type).optional("source", mount.source);
  json.optional("options", mount.options);
  objects(json, "uidMappings", mount.uidMappings);
  objects(json, "gidMappings", mount.gidMappings);
}

static void write(JsonWriter& json, const Hook& hook) {
  json.member("path", hook.path).optional("args", hook.args).optional("env", hook.env);
  json.optional("timeout", hook.timeout);
}

static void write(JsonWriter& json, const Hooks& hooks) {
  objects(json, "prestart", hooks.prestart);
  objects(json, "createRuntime", hooks.createRuntime);
  objects(json, "createContainer", hooks.createContainer);
  objects(json, "startContainer", hooks.startContainer);
  objects(json, "poststart", hooks.poststart);
  objects(json, "poststop", hooks.poststop);
}

static void write(JsonWriter& json, const Namespace& space) {
  json.member("type", space.type).optional("path", space.path);
}

static void write(JsonWriter& json, const Device& device) {
  json.member("path", device.path).member("type", device.type).optional("major", device.major);
  json.optional("minor", device.minor).optional("fileMode", device.fileMode);
  json.optional("uid", device.uid).optional("gid", device.gid);
}

static void write(JsonWriter& json, const DeviceRule& rule) {
  json.member("allow", rule.allow).optional("type", rule.type).optional("major", rule.major);
  json.optional("minor", rule.minor).optional("access", rule.access);
}

static void write(JsonWriter& json, const Memory& memory) {
  json.optional("limit", memory.limit).optional("reservation", memory.reservation).optional("swap", memory.swap);
  json.optional("kernel", memory.kernel).optional("kernelTCP", memory.kernelTcp);
  json.optional("swappiness", memory.swappiness).optional("disableOOMKiller", memory.disableOomKiller);
  json.optional("useHierarchy", memory.useHierarchy).optional("checkBeforeUpdate", memory.checkBeforeUpdate);
}

static void write(JsonWriter& json, const Cpu& cpu) {
  json.optional("shares", cpu.shares).optional("quota", cpu.quota).optional("burst", cpu.burst);
  json.optional("period", cpu.period).optional("realtimeRuntime", cpu.realtimeRuntime);
  json.optional("realtimePeriod", cpu.realtimePeriod).optional("cpus", cpu.cpus).optional("mems", cpu.mems);
  json.optional("idle", cpu.idle);
}

static void write(JsonWriter& json, const WeightDevice& device) {
  json.member("major", device.major).member("minor", device.minor);
  json.optional("weight", device.weight).optional("leafWeight", device.leafWeight);
}

static void write(JsonWriter& json, const ThrottleDevice& device) {
  json.member("major", device.major).member("minor", device.minor).member("rate", device.rate);
}

static void write(JsonWriter& json, const BlockIo& blockIo) {
  json.optional("weight", blockIo.weight).optional("leafWeight", blockIo.leafWeight);
  objects(json, "weightDevice", blockIo.weightDevice);
  objects(json, "throttleReadBpsDevice", blockIo.throttleReadBpsDevice);
  objects(json, "throttleWriteBpsDevice", blockIo.throttleWriteBpsDevice);
  objects(json, "throttleReadIOPSDevice", blockIo.throttleReadIopsDevice);
  objects(json, "throttleWriteIOPSDevice", blockIo.throttleWriteIopsDevice);
}

static void write(JsonWriter& json, const HugepageLimit& limit) {
  json.member("pageSize", limit.pageSize).member("limit", limit.limit);
}

static void write(JsonWriter& json, const InterfacePriority& priority) {
  json.member("name", priority.name).member("priority", priority.priority);
}

static void write(JsonWriter& json, const Network& network) {
  json.optional("classID", network.classId);
  objects(json, "priorities", network.priorities);
}

static void write(JsonWriter& json, const Rdma& rdma) {
  json.optional("hcaHandles", rdma.hcaHandles).optional("hcaObjects", rdma.hcaObjects);
}

static void write(JsonWriter& json, const Resources& resources) {
  objects(json, "devices", resources.devices);
  object(json, "memory", resources.memory);
  object(json, "cpu", resources.cpu);
  if (resources.pidsLimit) json.open('{', "pids").member("limit", *resources.pidsLimit).close();
  object(json, "blockIO", resources.blockIo);
  objects(json, "hugepageLimits", resources.hugepageLimits);
  object(json, "network", resources.network);
  objects(json, "rdma", resources.rdma);
  json.optional("unified", resources.unified);
}

static void write(JsonWriter& json, const SeccompArg& arg) {
  json.member("index", arg.index).member("value", arg.value).optional("valueTwo", arg.valueTwo).member("op", arg.op);
}

static void write(JsonWriter& json, const SeccompSyscall& syscall) {
  json.member("names", syscall.names).member("action", syscall.action).optional("errnoRet", syscall.errnoRet);
  objects(json, "args", syscall.args);
}

static void write(JsonWriter& json, const Seccomp& seccomp) {
  json.member("defaultAction", seccomp.defaultAction).optional("defaultErrnoRet", seccomp.defaultErrnoRet);
  json.optional("architectures", seccomp.architectures).optional("flags", seccomp.flags);
  json.optional("listenerPath", seccomp.listenerPath).optional("listenerMetadata", seccomp.listenerMetadata);
  objects(json, "syscalls", seccomp.syscalls);
}

static void write(JsonWriter& json, const IntelRdt& rdt) {
  json.optional("closID", rdt.closId).optional("schemata", rdt.schemata);
  json.optional("l3CacheSchema", rdt.l3CacheSchema).optional("memBwSchema", rdt.memBwSchema);
  json.optional("enableMonitoring", rdt.enableMonitoring);
}

static void write(JsonWriter& json, const Personality& personality) {
  json.member("domain", personality.domain).optional("flags", personality.flags);
}

static void write(JsonWriter& json, const TimeOffset& offset) {
  json.member("secs", offset.secs).optional("nanosecs", offset.nanosecs);
}

static void write(JsonWriter& json, const NetDevice& device) {
  json.optional("name", device.name);
}

static void write(JsonWriter& json, const Linux& linux) {
  objects(json, "uidMappings", linux.uidMappings);
  objects(json, "gidMappings", linux.gidMappings);
  json.optional("sysctl", linux.sysctl);
  object(json, "resources", linux.resources);
  json.optional("cgroupsPath", linux.cgroupsPath);
  objects(json, "namespaces", linux.namespaces);
  objects(json, "devices", linux.devices);
  objects(json, "netDevices", linux.netDevices);
  object(json, "seccomp", linux.seccomp);
  json.optional("rootfsPropagation", linux.rootfsPropagation);
  json.optional("maskedPaths", linux.maskedPaths).optional("readonlyPaths", linux.readonlyPaths);
  json.optional("mountLabel", linux.mountLabel);
  object(json, "intelRdt", linux.intelRdt);
  object(json, "personality", linux.personality);
  objects(json, "timeOffsets", linux.timeOffsets);
}

static void write(JsonWriter& json, const Spec& spec) {
  json.member("ociVersion", spec.ociVersion);
  object(json, "process", spec.process);
  object(json, "root", spec.root);
  json.optional("hostname", spec.hostname).optional("domainname", spec.domainname);
  objects(json, "mounts", spec.mounts);
  object(json, "hooks", spec.hooks);
  json.optional("annotations", spec.annotations);
  object(json, "linux", spec.linux);
}

std::string toJson(const Spec& spec) {
  JsonWriter json(2);
  object(json, {}, spec);
  return json.text() + "\n";
}

std::string toJson(const Process& process) {
  JsonWriter json(2);
  object(json, {}, process);
  return json.text() + "\n";
}

}  // namespace gantry::oci
