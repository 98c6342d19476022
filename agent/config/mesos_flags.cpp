#include "agent/config/mesos_flags.hpp"

#include <algorithm>
#include <initializer_list>
#include <iterator>

#include <fmt/format.h>

namespace gantry::agent {
namespace {

using Flags = std::vector<MesosFlag>;

// Whatever its value: `inForce` is what happens all the same.
MesosFlag ignored(std::string name, std::string reason, std::string inForce = "", Kind kind = Kind::Text) {
  MesosFlag flag{std::move(name), kind, std::move(inForce), {}};
  flag.judge = [value = flag.inForce, reason = std::move(reason)](std::string_view given) {
    return !value.empty() && given == value ? Verdict{} : Verdict{Verdict::Kind::Ignored, reason};
  };
  return flag;
}

MesosFlag ignoredSwitch(std::string name, std::string reason, std::string inForce = "") {
  return ignored(std::move(name), std::move(reason), std::move(inForce), Kind::Boolean);
}

// Anything but `met`, of which the first is in force.
MesosFlag refused(std::string name, std::vector<std::string> met, std::string reason, Kind kind = Kind::Text) {
  MesosFlag flag{std::move(name), kind, met.empty() ? "" : met.front(), {}};
  flag.judge = [met = std::move(met), reason = std::move(reason)](std::string_view given) {
    const bool isMet = given.empty() || std::ranges::find(met, given) != met.end();
    return isMet ? Verdict{} : Verdict{Verdict::Kind::Refused, reason};
  };
  return flag;
}

MesosFlag refused(std::string name, std::string reason) {
  return refused(std::move(name), std::vector<std::string>{}, std::move(reason));
}

MesosFlag refusedSwitch(std::string name, std::string reason) {
  return refused(std::move(name), {"false"}, std::move(reason), Kind::Boolean);
}

MesosFlag met(std::string name, std::string inForce, Kind kind = Kind::Text) {
  return {std::move(name), kind, std::move(inForce), [](std::string_view) { return Verdict{}; }};
}

Flags each(std::initializer_list<const char*> names, MesosFlag (*make)(std::string, std::string),
           const std::string& reason) {
  Flags flags;
  for (const char* const name : names) flags.push_back(make(name, reason));
  return flags;
}

MesosFlag ignoredText(std::string name, std::string reason) {
  return ignored(std::move(name), std::move(reason));
}

MesosFlag ignoredSwitchText(std::string name, std::string reason) {
  return ignoredSwitch(std::move(name), std::move(reason));
}

Verdict judgeContainerizers(std::string_view list) {
  std::vector<std::string> names;
  ignore(parseValue(list, names), "a list is never refused");
  for (const std::string& name : names) {
    if (name != "mesos" && name != "docker") {
      return {Verdict::Kind::Refused, fmt::format("there is no containerizer '{}'; there are mesos and docker", name)};
    }
  }
  if (std::ranges::find(names, "docker") == names.end()) return {};
  return {Verdict::Kind::Ignored, "containers of type DOCKER are run without a Docker daemon, asked for or not"};
}

Verdict judgeImageProviders(std::string_view list) {
  std::vector<std::string> names;
  ignore(parseValue(list, names), "a list is never refused");
  for (const std::string& name : names) {
    if (!std::ranges::equal(name, std::string_view("docker"), {}, [](unsigned char c) { return std::tolower(c); })) {
      return {Verdict::Kind::Refused, fmt::format("images of '{}' cannot be run; those of docker can", name)};
    }
  }
  return {};
}

Flags containerizerFlags() {
  return {
      {"isolation", Kind::Text, "", judgeIsolation},
      {"containerizers", Kind::Text, "docker,mesos", judgeContainerizers},
      {"image_providers", Kind::Text, "docker", judgeImageProviders},
      refused("launcher", {"linux"}, "every container has cgroups and namespaces of its own"),
      ignored("launcher_dir", "the programs are found beside gantry-agent, or by --runtime, --monitor and --fetcher"),
      refused("image_provisioner_backend", {"overlay", "auto"}, "root file systems are always overlays"),
      ignored("image_gc_config", "layers that no image and no container needs are deleted every hour"),
      ignored("appc_simple_discovery_uri_prefix", "there are no Appc images"),
      ignored("appc_store_dir", "there are no Appc images"),
      ignored("docker_store_dir", "images are kept in 'images' in --work_dir"),
      refused(
          "docker_config",
          "credentials of registries are not kept by this version; pull images through a registry that asks for none"),
      refusedSwitch("docker_ignore_runtime", "what an image says of its environment and user always counts"),
      refused("default_container_info", "tasks would run without what it adds"),
      refused("default_container_dns", "tasks would resolve names elsewhere"),
      refused("volume_gid_range", "volumes would lack the group that it gives"),
      refused("seccomp_config_dir", "there is one seccomp profile, Docker's default, and it is always in force"),
      refused("seccomp_profile_name", "there is one seccomp profile, Docker's default, and it is always in force"),
      refused("allowed_capabilities", "is the old name of --effective_capabilities; give that"),
      refused("allowed_devices", "tasks would lack the devices"),
      refused("nvidia_gpu_devices", "GPUs are not handed out by this version"),
      refused("container_logger", {"sandbox", "org_apache_mesos_SandboxContainerLogger"},
              "output always goes to the sandbox, rotated by --container_log_size and --container_log_files"),
  };
}

Flags cgroupFlags() {
  return {
      refused("cgroups_hierarchy", {"/sys/fs/cgroup"}, "hierarchies are used where they are mounted"),
      // Where the kernel can, always; the isolator says so when it cannot.
      met("cgroups_limit_swap", "true", Kind::Boolean),
      met("cgroups_cpu_enable_pids_and_tids_count", "true", Kind::Boolean),
      ignored("cgroups_destroy_timeout", "cgroups are killed and removed without one"),
      refused("cgroups_net_cls_primary_handle", "containers would lack the class ids that firewalls go by"),
      refused("cgroups_net_cls_secondary_handles", "containers would lack the class ids that firewalls go by"),
      ignored("agent_subsystems", "whoever starts the agent puts it into cgroups"),
      ignored("slave_subsystems", "whoever starts the agent puts it into cgroups"),
      ignoredSwitch("revocable_cpu_low_priority", "there are no revocable resources"),
      ignoredSwitch("systemd_enable_support", "containers are in cgroups of --cgroups_root, with systemd or without"),
      ignored("systemd_runtime_directory", "containers are in cgroups of --cgroups_root, with systemd or without"),
      ignored("perf_events", "performance counters are not sampled"),
      ignored("perf_interval", "performance counters are not sampled"),
      ignored("perf_duration", "performance counters are not sampled"),
  };
}

Flags diskFlags() {
  return {
      ignored("gc_delay", "sandboxes stay until they are deleted by hand, in this version"),
      ignored("gc_disk_headroom", "sandboxes stay until they are deleted by hand, in this version"),
      ignored("disk_watch_interval", "sandboxes stay until they are deleted by hand, in this version"),
      ignoredSwitch("gc_non_executor_container_sandboxes", "a standalone container's sandbox goes when it is removed",
                    "false"),
      ignored("container_disk_watch_interval", "what a sandbox holds is measured when somebody asks"),
      refusedSwitch("enforce_container_disk_quota", "disk quotas are not enforced by this version"),
      ignored("xfs_project_range", "it is for isolation disk/xfs"),
      ignoredSwitch("xfs_kill_containers", "it is for isolation disk/xfs", "false"),
      ignored("xfs_quota_headroom", "it is for isolation disk/xfs"),
      refused("resource_provider_config_dir", "there are no resource providers in this version"),
      refused("csi_plugin_config_dir", "there are no CSI plug-ins in this version"),
      refused("disk_profile_adaptor", "there are no resource providers in this version"),
  };
}

Flags networkFlags() {
  Flags flags = {
      ignoredSwitch("network_cni_root_dir_persist", "network namespaces die with the boot, and so does what is kept",
                    "false"),
      ignoredSwitch("network_cni_metrics", "metrics of CNI plug-ins are not kept", "false"),
      ignored("ip6", "only IPv4 addresses of the host are reported"),
      ignored("ip6_discovery_command", "only IPv4 addresses of the host are reported"),
      refusedSwitch("enforce_container_ports", "which ports a container listens on is not watched"),
      refusedSwitch("check_agent_port_range_only", "which ports a container listens on is not watched"),
      refused("container_ports_isolated_range", "which ports a container listens on is not watched"),
      ignored("container_ports_watch_interval", "it is for --enforce_container_ports"),
  };
  const std::string portMapping = "it is for isolation network/port_mapping";
  Flags values =
      each({"ephemeral_ports_per_container", "eth0_name", "lo_name", "egress_rate_limit_per_container",
            "egress_rate_per_cpu", "minimum_egress_rate_limit", "maximum_egress_rate_limit", "egress_ceil_limit",
            "egress_burst", "egress_flow_classifier_parent", "ingress_rate_limit_per_container", "ingress_rate_per_cpu",
            "minimum_ingress_rate_limit", "maximum_ingress_rate_limit", "ingress_ceil_limit", "ingress_burst",
            "network_link_speed", "network_rate_statistics_window", "network_rate_statistics_interval"},
           ignoredText, portMapping);
  Flags switches = each({"egress_unique_flow_per_container", "ingress_isolate_existing_containers",
                         "network_enable_socket_statistics_summary", "network_enable_socket_statistics_details",
                         "network_enable_snmp_statistics", "network_enable_rate_statistics"},
                        ignoredSwitchText, portMapping);
  std::ranges::move(values, std::back_inserter(flags));
  std::ranges::move(switches, std::back_inserter(flags));
  return flags;
}

Flags accessFlags() {
  const std::string open = "this version authenticates nobody, and would answer everybody";
  const std::string acls = "this version authorizes nobody, and would let everybody do everything";
  return {
      refusedSwitch("authenticate_http_readonly", open),
      refusedSwitch("authenticate_http_readwrite", open),
      refusedSwitch("authenticate_http_executors", open),
      refused("http_credentials", open),
      refused("http_authenticators", {"basic"}, open),
      refused("jwt_secret_key", open),
      refused("executor_secret_key", open),
      refused("acls", acls),
      refused("authorizer", {"local"}, acls),
      refused("authenticatee", {"crammd5"}, "CRAM-MD5 is the only way to authenticate to a master"),
      refusedSwitch("http_executor_domain_sockets", "there are no custom executors that could use one"),
      ignored("domain_socket_location", "it is for --http_executor_domain_sockets"),
  };
}

Flags executorFlags() {
  return {
      ignored("executor_registration_timeout", "no executor has to register for a task to run"),
      ignored("executor_reregistration_timeout", "no executor has to come back after a restart"),
      ignored("executor_reregistration_retry_interval", "no executor has to come back after a restart"),
      ignoredSwitch("http_command_executor", "no executor process is spent on a task"),
      ignored("hadoop_home", "hdfs:// and the like are not fetched; a task that asks for it fails and says so"),
      ignored("docker", "there is no Docker daemon to be asked"),
      ignored("docker_socket", "there is no Docker daemon to be asked"),
      ignored("docker_mesos_image", "there is no Docker daemon to be asked"),
      ignored("docker_remove_delay", "what a container leaves but its sandbox is removed at once"),
      ignored("docker_stop_timeout", "a task's kill policy says how long it may go on"),
      ignoredSwitch("docker_kill_orphans", "Docker's containers are left alone"),
      ignored("docker_volume_checkpoint_dir", "it is for isolation docker/volume"),
      ignoredSwitch("docker_volume_chown", "it is for isolation docker/volume", "false"),
  };
}

Flags moduleFlags() {
  const std::string modules = "libraries made for mesos-agent cannot be loaded";
  return {
      refused("modules", modules),
      refused("modules_dir", modules),
      refused("hooks", modules),
      refused("master_detector", modules),
      refused("secret_resolver", modules),
      refused("resource_estimator", modules),
      refused("qos_controller", modules),
      ignored("qos_correction_interval_min", "there are no revocable resources"),
      ignored("oversubscribed_resources_interval", "there are no revocable resources"),
      ignored("agent_features", "the master is told what this agent can do, and nothing else"),
  };
}

Flags loggingFlags() {
  return {
      ignored("log_dir", "the log goes to stderr; see --external_log_file"),
      ignored("logbufsecs", "every line is written at once", "0"),
      ignoredSwitch("quiet", "the log goes to stderr; see --logging_level", "false"),
      ignoredSwitch("initialize_driver_logging", "there is no driver"),
      ignoredSwitch("memory_profiling", "there is no memory profiler", "false"),
  };
}

Flags makeFlags() {
  Flags table;
  for (Flags part : {containerizerFlags(), cgroupFlags(), diskFlags(), networkFlags(), accessFlags(), executorFlags(),
                     moduleFlags(), loggingFlags()}) {
    std::ranges::move(part, std::back_inserter(table));
  }
  return table;
}

}  // namespace

const std::vector<MesosFlag>& mesosFlags() {
  static const std::vector<MesosFlag> table = makeFlags();
  return table;
}

const MesosFlag* findMesosFlag(std::string_view name) {
  const auto found = std::ranges::find(mesosFlags(), name, &MesosFlag::name);
  return found == mesosFlags().end() ? nullptr : &*found;
}

}  // namespace gantry::agent
