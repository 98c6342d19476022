// features and spec: what this runtime can do, and an example of a configuration.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>

#include "kernel/capability.hpp"
#include "kernel/file.hpp"
#include "oci/json.hpp"
#include "oci/state.hpp"
#include "runtime/commands.hpp"
#include "runtime/flags.hpp"
#include "runtime/mount_options.hpp"
#include "runtime/seccomp.hpp"
#include "runtime/validate.hpp"

namespace gantry::runtime {
namespace {

const std::vector<std::string> kHookKinds{"prestart",       "createRuntime", "createContainer",
                                          "startContainer", "poststart",     "poststop"};
const std::vector<std::string> kNamespaceKinds{"cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"};

void writeEnabled(oci::JsonWriter& json, std::string_view name, bool enabled) {
  json.open('{', name).member("enabled", enabled).close();
}

void writeSeccomp(oci::JsonWriter& json) {
  json.open('{', "seccomp").member("enabled", true).member("actions", seccompActions());
  json.member("operators", seccompOperators()).member("archs", seccompArchitectures());
  json.member("knownFlags", seccompFlags()).member("supportedFlags", seccompFlags()).close();
}

oci::Mount mountOf(const char* destination, const char* type, const char* source, std::vector<std::string> options) {
  oci::Mount mount;
  mount.destination = destination;
  mount.type = type;
  mount.source = source;
  mount.options = std::move(options);
  return mount;
}

oci::Spec exampleSpec() {
  oci::Spec spec;
  spec.ociVersion = oci::kOciVersion;
  spec.hostname = "gantry";
  spec.root = oci::Root{"rootfs", true};
  oci::Process process;
  process.terminal = true;
  process.args = {"sh"};
  process.env = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"};
  process.cwd = "/";
  process.noNewPrivileges = true;
  process.capabilities.emplace();
  process.capabilities->bounding = {"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"};
  process.capabilities->effective = process.capabilities->permitted = process.capabilities->bounding;
  process.rlimits = {{"RLIMIT_NOFILE", 1024, 1024}};
  spec.process = std::move(process);
  spec.mounts = {
      mountOf("/proc", "proc", "proc", {}),
      mountOf("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}),
      mountOf("/dev/pts", "devpts", "devpts",
              {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}),
      mountOf("/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}),
      mountOf("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}),
      mountOf("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}),
      mountOf("/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", "ro"}),
  };
  oci::Linux linux;
  for (const char* type : {"pid", "network", "ipc", "uts", "mount", "cgroup"}) linux.namespaces.push_back({type, ""});
  linux.resources.emplace();
  oci::DeviceRule nothing;
  nothing.access = "rwm";
  linux.resources->devices = {nothing};
  linux.maskedPaths = {"/proc/acpi",          "/proc/asound",     "/proc/kcore",       "/proc/keys",
                       "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
                       "/sys/firmware",       "/proc/scsi"};
  linux.readonlyPaths = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
  spec.linux = std::move(linux);
  return spec;
}

}  // namespace

Result<int> features(const Globals&, Words words) {
  TRY_VOID(parseFlagsAnywhere(words, {}));
  TRY_VOID(expectWords(words, 0, 0, "features"));
  const HostFeatures host = HostFeatures::detect();
  oci::JsonWriter json(2);
  json.open('{').member("ociVersionMin", "1.0.0").member("ociVersionMax", oci::kOciVersion);
  std::vector<std::string> options = knownMountOptions();
  std::sort(options.begin(), options.end());
  json.member("hooks", kHookKinds).member("mountOptions", options);
  json.open('{', "linux").member("namespaces", kNamespaceKinds);
  json.member("capabilities", kernel::capabilityNames(kernel::knownCapabilities()));
  json.open('{', "cgroup").member("v1", true).member("v2", true).member("systemd", false);
  json.member("systemdUser", false).member("rdma", true).close();
  writeSeccomp(json);
  writeEnabled(json, "apparmor", host.apparmor);
  writeEnabled(json, "selinux", host.selinux);
  writeEnabled(json, "intelRdt", false);
  json.open('{', "mountExtensions");
  writeEnabled(json, "idmap", true);
  json.close();
  writeEnabled(json, "netDevices", false);
  json.close();
  json.open('{', "annotations").member("io.gantry.version", GANTRY_VERSION).close();
  json.close();
  TRY_VOID(print(json.text() + "\n"));
  return 0;
}

Result<int> spec(const Globals&, Words words) {
  std::string bundle = ".";
  bool rootless = false;
  TRY_VOID(parseFlagsAnywhere(words, {{"bundle,b", &bundle}, {"rootless", &rootless}}));
  TRY_VOID(expectWords(words, 0, 0, "spec [--bundle DIRECTORY] [--rootless]"));
  oci::Spec example = exampleSpec();
  if (rootless) {
    std::erase_if(example.linux->namespaces, [](const oci::Namespace& space) { return space.type == "network"; });
    example.linux->namespaces.push_back({"user", ""});
    example.linux->uidMappings = {{0, ::geteuid(), 1}};
    example.linux->gidMappings = {{0, ::getegid(), 1}};
    example.linux->resources.reset();
    // Only the owner of a network namespace may mount its sysfs.
    for (oci::Mount& mount : example.mounts) {
      if (mount.type == "sysfs") mount = mountOf("/sys", "bind", "/sys", {"rbind", "nosuid", "noexec", "nodev", "ro"});
    }
  }
  const std::string file = bundle + "/config.json";
  TRY(const kernel::Fd made, kernel::open(file, O_WRONLY | O_CREAT | O_EXCL, 0644));
  TRY_VOID(kernel::writeAll(made, oci::toJson(example)).under(file));
  return 0;
}

}  // namespace gantry::runtime
