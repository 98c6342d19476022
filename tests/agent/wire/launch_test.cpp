#include <gtest/gtest.h>

#include "agent/wire/call.hpp"

namespace gantry::agent::wire {
namespace {

using isolators::ContainerRequest;
using isolators::NetworkAttachment;
using isolators::PortMapping;
using isolators::Resources;
using isolators::Volume;

// A LAUNCH_CONTAINER with `members` beside its id.
std::string launch(const std::string& members) {
  return R"({"type":"LAUNCH_CONTAINER","launch_container":{"container_id":{"value":"web"},)" + members + "}}";
}

ContainerRequest requestOf(const std::string& members) {
  auto call = parseCall(launch(members), Media::Json);
  EXPECT_TRUE(call) << (call ? "" : call.error().message());
  if (!call) return ContainerRequest(*ContainerId::root("failed"));
  return std::get<LaunchContainer>(*call).request;
}

// The error, without the "launch_container." in front.
std::string refusalOf(const std::string& members) {
  const auto call = parseCall(launch(members), Media::Json);
  if (call) return "accepted";
  EXPECT_TRUE(call.error().code() == Code::InvalidArgument || call.error().code() == Code::Unsupported);
  const std::string prefix = "launch_container.";
  EXPECT_TRUE(call.error().message().starts_with(prefix)) << call.error().message();
  return call.error().message().substr(prefix.size());
}

const std::string kCommand = R"("command":{"value":"true"})";

std::string container(const std::string& members) {
  return kCommand + R"(,"container":{"type":"MESOS",)" + members + "}";
}

std::string resource(const std::string& members) {
  return kCommand + R"(,"resources":[{)" + members + "}]";
}

std::string scalar(const std::string& name, const std::string& value) {
  return resource(R"("name":")" + name + R"(","type":"SCALAR","scalar":{"value":)" + value + "}");
}

TEST(Launch, ReadsAWholeRequest) {
  const ContainerRequest request = requestOf(R"(
    "command": {"value": "httpd -f", "user": "www", "environment": {"variables": [
      {"name": "A", "value": "1"}, {"name": "B", "type": "VALUE", "value": ""}]}},
    "resources": [
      {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}},
      {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.2}, "role": "*"},
      {"name": "mem", "type": "SCALAR", "scalar": {"value": 64}},
      {"name": "disk", "type": "SCALAR", "scalar": {"value": 0.5}},
      {"name": "pids", "type": "SCALAR", "scalar": {"value": 100}}],
    "limits": {"cpus": {"value": "Infinity"}, "mem": {"value": 128}},
    "container": {
      "type": "MESOS",
      "mesos": {"image": {"type": "DOCKER", "docker": {"name": "busybox:1"}, "cached": false}},
      "hostname": "web-1",
      "network_infos": [{"name": "gantry", "labels": {"labels": [{"key": "k", "value": "v"}, {"key": "n"}]},
        "port_mappings": [{"host_port": 8080, "container_port": 80},
                          {"host_port": 0, "container_port": 53, "protocol": "UDP"}]}],
      "volumes": [
        {"container_path": "/data", "host_path": "/srv/data", "mode": "RO"},
        {"container_path": "cache", "host_path": "relative", "mode": "RW"},
        {"container_path": "/x", "mode": "RW", "source": {"type": "SANDBOX_PATH",
          "sandbox_path": {"type": "SELF", "path": "x"}}},
        {"container_path": "/y", "mode": "RW", "source": {"type": "HOST_PATH",
          "host_path": {"path": "/y", "mount_propagation": {"mode": "BIDIRECTIONAL"}}}}],
      "linux_info": {
        "effective_capabilities": {"capabilities": ["NET_ADMIN"]},
        "bounding_capabilities": {"capabilities": ["NET_ADMIN", "BPF"]},
        "share_pid_namespace": true, "seccomp": {"unconfined": true},
        "ipc_mode": "PRIVATE", "shm_size": 32, "share_cgroups": false},
      "rlimit_info": {"rlimits": [{"type": "RLMT_NOFILE", "soft": 10, "hard": 20}, {"type": "RLMT_CORE"}]},
      "tty_info": {"window_size": {"rows": 24, "columns": 80}}
    })");

  ContainerRequest expected(*ContainerId::root("web"));
  expected.image = "busybox:1";
  expected.useCachedImage = false;
  expected.command.value = "httpd -f";
  expected.command.user = "www";
  expected.command.environment = {{"A", "1"}, {"B", ""}};
  expected.resources.cpus = request.resources.cpus;  // 0.1 + 0.2, compared below
  expected.resources.cpusLimit = Resources::kInfinity;
  expected.resources.memory = Bytes::mebi(64);
  expected.resources.memoryLimit = Bytes::mebi(128);
  expected.resources.disk = Bytes::kibi(512);
  expected.resources.pids = 100;
  expected.hostname = "web-1";
  expected.networks = {NetworkAttachment{"gantry",
                                         {{8080, 80, PortMapping::Protocol::Tcp}, {0, 53, PortMapping::Protocol::Udp}},
                                         {{"k", "v"}, {"n", ""}}}};
  expected.volumes = {
      {Volume::Source::HostPath, "/srv/data", "/data", true, Volume::Propagation::HostToContainer},
      {Volume::Source::SandboxPath, "relative", "cache", false, Volume::Propagation::HostToContainer},
      {Volume::Source::SandboxPath, "x", "/x", false, Volume::Propagation::HostToContainer},
      {Volume::Source::HostPath, "/y", "/y", false, Volume::Propagation::Bidirectional},
  };
  expected.security.effectiveCapabilities = {{"CAP_NET_ADMIN"}};
  expected.security.boundingCapabilities = {{"CAP_NET_ADMIN", "CAP_BPF"}};
  expected.security.sharePidNamespace = true;
  expected.security.seccompUnconfined = true;
  expected.shmSize = Bytes::mebi(32);
  expected.rlimits = {{"RLIMIT_NOFILE", 10, 20}, {"RLIMIT_CORE", UINT64_MAX, UINT64_MAX}};
  expected.terminal = true;
  expected.openStdin = true;
  expected.terminalRows = 24;
  expected.terminalColumns = 80;
  EXPECT_NEAR(*request.resources.cpus, 0.3, 1e-9);
  EXPECT_EQ(request, expected);
}

TEST(Launch, TakesTheCommandFromTheImageWhenThereIsNone) {
  const ContainerRequest request =
      requestOf(R"("container":{"type":"MESOS","mesos":{"image":{"type":"DOCKER","docker":{"name":"a"}}}})");
  EXPECT_FALSE(request.command.shell);
  EXPECT_EQ(request.command.value, std::nullopt);
  EXPECT_TRUE(request.networks.empty());
}

TEST(Launch, RefusesAMissingCommand) {
  EXPECT_EQ(refusalOf(R"("resources":[])"), "command: is missing, and there is no image to take one from");
  EXPECT_EQ(refusalOf(R"("command":{"shell":false})"), "command: is missing, and there is no image to take one from");
  EXPECT_EQ(refusalOf(R"("command":{"arguments":["a"]})"),
            "command.value: is required when 'shell' is true, which it is by default");
  EXPECT_EQ(refusalOf(R"("command":{"value":""})"), "command.value: must not be empty");
}

TEST(Launch, RefusesWhatTheCommandCannotHave) {
  EXPECT_EQ(refusalOf(R"("command":{"value":"a","uris":[{"value":"http://x"}]})"),
            "command.uris: artifacts are fetched for tasks of a master only");
  EXPECT_EQ(refusalOf("\"command\":{\"value\":\"a\\u0000b\"}"), "command.value: contains a NUL byte");
  const auto variable = [](const std::string& members) {
    return refusalOf(R"("command":{"value":"a","environment":{"variables":[{)" + members + "}]}}");
  };
  EXPECT_EQ(variable(R"("name":"A=B","value":"")"),
            "command.environment.variables[0].name: must not be empty or contain '='");
  EXPECT_EQ(variable(R"("name":"A")"), "command.environment.variables[0].value: is required");
  EXPECT_EQ(variable(R"("name":"A","type":"SECRET","secret":{"type":"VALUE","value":{"data":""}})"),
            "command.environment.variables[0].type: secrets are not supported by this agent");
}

TEST(Launch, RefusesIdsThatMesosRefuses) {
  const auto call = parseCall(
      R"({"type":"LAUNCH_CONTAINER","launch_container":{"container_id":{"value":"../x"},"command":{"value":"a"}}})",
      Media::Json);
  ASSERT_FALSE(call);
  EXPECT_TRUE(call.error().message().starts_with("launch_container.container_id.value: ")) << call.error().message();
}

TEST(Launch, RefusesANestedContainer) {
  const auto call = parseCall(R"({"type":"LAUNCH_CONTAINER","launch_container":{"container_id":{"value":"c",
      "parent":{"value":"p"}},"command":{"value":"a"}}})",
                              Media::Json);
  ASSERT_FALSE(call);
  EXPECT_EQ(call.error().code(), Code::Unsupported);
  EXPECT_TRUE(call.error().message().starts_with("launch_container.container_id.parent: ")) << call.error().message();
}

TEST(Launch, RefusesResourcesItDoesNotKnow) {
  EXPECT_EQ(refusalOf(scalar("gpus", "1")),
            "resources[0].name: 'gpus' is not a resource of this agent (cpus, mem, disk, pids)");
  EXPECT_EQ(refusalOf(resource(R"("name":"ports","type":"RANGES","ranges":{"range":[{"begin":1,"end":2}]})")),
            "resources[0].name: 'ports' is not a resource of this agent (cpus, mem, disk, pids)");
  EXPECT_EQ(refusalOf(resource(R"("name":"cpus","type":"SET","set":{"item":["a"]})")),
            "resources[0].type: must be SCALAR");
  EXPECT_EQ(refusalOf(resource(R"("name":"cpus","type":"SCALAR")")), "resources[0].scalar: is required");
}

TEST(Launch, RefusesAmountsThatAreNone) {
  for (const char* value : {"0", "-1", "\"-Infinity\"", "0.0001"}) {
    EXPECT_EQ(refusalOf(scalar("cpus", value)),
              "resources[0].scalar.value: the amount of 'cpus' must be greater than 0")
        << value;
  }
  EXPECT_EQ(refusalOf(scalar("mem", "\"NaN\"")), "resources[0].scalar.value: the amount of 'mem' is not a number");
  EXPECT_EQ(refusalOf(scalar("mem", "\"Infinity\"")), "resources[0].scalar.value: the amount of 'mem' must be finite");
  EXPECT_EQ(refusalOf(scalar("mem", "1e300")), "resources[0].scalar.value: the amount of 'mem' is out of range");
  EXPECT_EQ(refusalOf(scalar("pids", "1.5")), "resources[0].scalar.value: the amount of 'pids' must be a whole number");
  EXPECT_EQ(refusalOf(scalar("pids", "1e9")),
            "resources[0].scalar.value: the amount of 'pids' must not exceed 4194304");
}

TEST(Launch, RefusesReservedRevocableAndPersistentResources) {
  const auto with = [](const std::string& members) {
    return refusalOf(resource(R"("name":"disk","type":"SCALAR","scalar":{"value":1},)" + members));
  };
  EXPECT_TRUE(with(R"("role":"ops")").starts_with("resources[0].role: "));
  EXPECT_TRUE(with(R"("reservations":[{"role":"ops"}])").starts_with("resources[0].reservations: "));
  EXPECT_TRUE(with(R"("revocable":{})").starts_with("resources[0].revocable: "));
  EXPECT_TRUE(with(R"("disk":{"persistence":{"id":"x"}})").starts_with("resources[0].disk: "));
  EXPECT_TRUE(with(R"("shared":{})").starts_with("resources[0].shared: "));
  EXPECT_TRUE(with(R"("provider_id":{"value":"x"})").starts_with("resources[0].provider_id: "));
}

TEST(Launch, RefusesLimitsBelowTheRequestOrOfOtherResources) {
  const std::string mem = scalar("mem", "64");
  EXPECT_EQ(refusalOf(mem + R"(,"limits":{"mem":{"value":32}})"), "limits.mem.value: is below the requested memory");
  EXPECT_EQ(refusalOf(mem + R"(,"limits":{"disk":{"value":32}})"), "limits.disk: only 'cpus' and 'mem' can be limited");
  EXPECT_EQ(refusalOf(scalar("cpus", "2") + R"(,"limits":{"cpus":{"value":1}})"),
            "limits.cpus.value: is below the requested cpus");
  EXPECT_EQ(requestOf(mem + R"(,"limits":{"mem":{"value":"Infinity"}})").resources.memoryLimit, Bytes{UINT64_MAX});
}

TEST(Launch, RefusesContainersOfOtherTypes) {
  EXPECT_EQ(refusalOf(kCommand + R"(,"container":{"type":"DOCKER","docker":{"image":"a"}})"),
            "container.type: only containers of type MESOS are supported");
  EXPECT_EQ(refusalOf(container(R"("docker":{"image":"a"})")), "container.docker: does not fit the type MESOS");
  EXPECT_EQ(refusalOf(container(R"("mesos":{"image":{"type":"APPC","appc":{"name":"a"}}})")),
            "container.mesos.image.type: only DOCKER images are supported");
  EXPECT_EQ(refusalOf(container(R"("mesos":{"image":{"type":"DOCKER"}})")),
            "container.mesos.image.docker: is required");
  EXPECT_TRUE(refusalOf(container(R"("mesos":{"image":{"type":"DOCKER","docker":{"name":"a","config":{}}}})"))
                  .starts_with("container.mesos.image.docker.config: "));
}

TEST(Launch, RefusesVolumesItCannotMount) {
  const auto volume = [](const std::string& members) {
    const std::string refusal =
        refusalOf(container(R"("volumes":[{"container_path":"/v","mode":"RW",)" + members + "}]"));
    const std::string prefix = "container.volumes[0].";
    return refusal.starts_with(prefix) ? refusal.substr(prefix.size()) : refusal;
  };
  for (const char* type : {"DOCKER_VOLUME", "SECRET", "CSI_VOLUME"}) {
    EXPECT_EQ(volume(std::string(R"("source":{"type":")") + type + "\"}"),
              std::string("source.type: ") + type + " volumes are not supported by this agent");
  }
  EXPECT_EQ(volume(R"("image":{"type":"DOCKER","docker":{"name":"a"}})"),
            "image: images as volumes are not supported by this agent");
  EXPECT_EQ(volume(R"("source":{"type":"SANDBOX_PATH","sandbox_path":{"type":"PARENT","path":"x"}})"),
            "source.sandbox_path.type: PARENT needs a nested container");
  EXPECT_EQ(volume(R"("source":{"type":"SANDBOX_PATH","sandbox_path":{"type":"SELF","path":"a/../../b"}})"),
            "source.sandbox_path.path: must not contain '..'");
  EXPECT_EQ(volume(R"("source":{"type":"HOST_PATH","host_path":{"path":"etc"}})"),
            "source.host_path.path: must be absolute");
  EXPECT_EQ(volume(R"("source":{})"), "source.type: must be HOST_PATH or SANDBOX_PATH");
  EXPECT_EQ(volume(R"("host_path":"/a/..")"), "host_path: must not contain '..'");
  EXPECT_EQ(volume(R"("host_path":"/a","source":{"type":"SECRET"})"), "host_path: excludes 'source'");
  EXPECT_EQ(volume(R"("x":1)"), "source: is required");
  EXPECT_EQ(refusalOf(container(R"("volumes":[{"container_path":"../v","mode":"RW","host_path":"/a"}])")),
            "container.volumes[0].container_path: must not contain '..'");
}

TEST(Launch, RefusesNetworksItCannotJoin) {
  const auto networks = [](const std::string& entries) {
    const std::string refusal = refusalOf(container(R"("network_infos":[)" + entries + "]"));
    const std::string prefix = "container.network_infos";
    return refusal.starts_with(prefix) ? refusal.substr(prefix.size()) : refusal;
  };
  EXPECT_EQ(networks(R"({"name":"a","ip_addresses":[{"ip_address":"10.0.0.1"}]})"),
            "[0].ip_addresses: an address cannot be asked for");
  EXPECT_EQ(networks(R"({"name":"a"},{"name":"a"})"), "[1].name: the network 'a' is joined already");
  EXPECT_EQ(networks(R"({"name":"a"},{"name":"none"})"), "[1].name: 'none' must be the only network");
  EXPECT_EQ(networks(R"({"port_mappings":[{"host_port":1,"container_port":1}]})"),
            "[0].port_mappings: the network 'host' has no ports to map");
  const auto mapping = [&networks](const std::string& members) {
    return networks(R"({"name":"a","port_mappings":[{)" + members + "}]}");
  };
  EXPECT_EQ(mapping(R"("host_port":65536,"container_port":1)"),
            "[0].port_mappings[0].host_port: must not exceed 65535");
  EXPECT_EQ(mapping(R"("host_port":1,"container_port":0)"),
            "[0].port_mappings[0].container_port: must be from 1 to 65535");
  EXPECT_EQ(mapping(R"("host_port":1,"container_port":1,"protocol":"sctp")"),
            "[0].port_mappings[0].protocol: must be 'tcp' or 'udp'");
}

TEST(Launch, RefusesLinuxInfoItCannotApply) {
  const auto info = [](const std::string& members) {
    const std::string refusal = refusalOf(container(R"("linux_info":{)" + members + "}"));
    const std::string prefix = "container.linux_info.";
    return refusal.starts_with(prefix) ? refusal.substr(prefix.size()) : refusal;
  };
  EXPECT_TRUE(info(R"("seccomp":{"profile_name":"x.json"})").starts_with("seccomp.profile_name: "));
  EXPECT_TRUE(info(R"("share_cgroups":true)").starts_with("share_cgroups: "));
  EXPECT_EQ(info(R"("shm_size":1)"), "shm_size: needs the ipc_mode PRIVATE");
  EXPECT_EQ(info(R"("effective_capabilities":{"capabilities":["UNKNOWN"]})"),
            "effective_capabilities.capabilities[0]: must name a capability");
  EXPECT_EQ(info(R"("effective_capabilities":{"capabilities":["CAP_CHOWN"]})"),
            "effective_capabilities.capabilities[0]: 'CAP_CHOWN' is not one of its values");
  EXPECT_EQ(refusalOf(container(R"("rlimit_info":{"rlimits":[{"type":"RLMT_CORE","soft":1}]})")),
            "container.rlimit_info.rlimits[0].hard: both or neither must be set");
  EXPECT_EQ(refusalOf(container(R"("tty_info":{"window_size":{"rows":70000,"columns":1}})")),
            "container.tty_info.window_size.rows: is out of range");
}

TEST(GantryLaunch, AddsWhatMesosCannotExpress) {
  const auto request = parseLaunch(
      R"({"launch_container":{"container_id":{"value":"c"},"command":{"value":"cat"}},
          "options":{"open_stdin":true,"working_directory":"/tmp","read_only_rootfs":true,"privileged":true,
                     "only_root_has_capabilities":true,"labels":{"a":"b"}}})",
      Media::Json);
  ASSERT_TRUE(request) << request.error().message();
  EXPECT_TRUE(request->security.onlyRootHasCapabilities);
  EXPECT_TRUE(request->openStdin);
  EXPECT_FALSE(request->terminal);
  EXPECT_EQ(request->command.workingDirectory, "/tmp");
  EXPECT_TRUE(request->security.readOnlyRootfs);
  EXPECT_TRUE(request->security.privileged);
  EXPECT_EQ(request->labels.at("a"), "b");

  const auto relative = parseLaunch(
      R"({"launch_container":{"container_id":{"value":"c"},"command":{"value":"a"}},"options":{"working_directory":"x"}})",
      Media::Json);
  ASSERT_FALSE(relative);
  EXPECT_EQ(relative.error().message(), "options.working_directory: must be absolute");
}

TEST(Session, SharesEverythingButTheTerminal) {
  const auto parse = [](const std::string& members) {
    return parseCall(R"({"type":"LAUNCH_NESTED_CONTAINER_SESSION","launch_nested_container_session":{
        "container_id":{"value":"s","parent":{"value":"web"}},)" +
                         members + "}}",
                     Media::Json);
  };
  const auto call = parse(R"("command":{"shell":false,"value":"sh","arguments":["sh"]},)"
                          R"("container":{"type":"MESOS","tty_info":{"window_size":{"rows":1,"columns":2}}})");
  ASSERT_TRUE(call) << call.error().message();
  const SessionRequest& request = std::get<LaunchSession>(*call).request;
  EXPECT_EQ(request.id.text(), "web.s");
  EXPECT_TRUE(request.terminal);
  EXPECT_EQ(request.terminalColumns, 2);
  EXPECT_EQ(request.command.arguments, std::vector<std::string>{"sh"});

  const auto refused = parse(kCommand + R"(,"container":{"type":"MESOS","linux_info":{}})");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message(),
            "launch_nested_container_session.container.linux_info: a session shares this with its container");
  EXPECT_FALSE(parse(R"("x":1)"));
  EXPECT_FALSE(parseCall(R"({"type":"LAUNCH_NESTED_CONTAINER_SESSION","launch_nested_container_session":{
      "container_id":{"value":"s"},"command":{"value":"a"}}})",
                         Media::Json));
}

}  // namespace
}  // namespace gantry::agent::wire
