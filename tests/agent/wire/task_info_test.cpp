#include "agent/wire/task_info.hpp"

#include <agent/wire/mesos_internal.pb.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "agent/wire/encoding.hpp"
#include "base/base64.hpp"
#include "recorded.hpp"

namespace gantry::agent::wire {
namespace {

using namespace std::chrono_literals;
using isolators::NetworkAttachment;
using isolators::PortMapping;
using isolators::Volume;
using tasks::TaskRequest;

tasks::Framework framework() {
  tasks::Framework result;
  result.id = "F";
  result.user = "web";
  result.roles = {"eng"};
  return result;
}

// A task with `members` beside what it must have.
Result<TaskRequest> requestFrom(const std::string& members) {
  mesos::v1::TaskInfo info;
  const auto read =
      fromJson(R"({"name":"web","task_id":{"value":"web.1"},"agent_id":{"value":"S0"},)" + members + "}", info);
  if (!read) return read.error();
  return taskRequestFrom(info, framework(), {.bridgeNetwork = "cni-bridge"});
}

TaskRequest requestOf(const std::string& members) {
  auto request = requestFrom(members);
  EXPECT_TRUE(request) << (request ? "" : request.error().message());
  return request ? *request : TaskRequest(isolators::ContainerRequest(*ContainerId::root("failed")));
}

std::string refusalOf(const std::string& members) {
  const auto request = requestFrom(members);
  if (request) return "accepted";
  EXPECT_TRUE(request.error().code() == Code::InvalidArgument || request.error().code() == Code::Unsupported);
  return request.error().message();
}

const std::string kCommand = R"("command":{"value":"sleep 10"})";

const std::string kResources = R"("resources":[
  {"name":"cpus","type":"SCALAR","scalar":{"value":0.5},"allocation_info":{"role":"eng"}},
  {"name":"mem","type":"SCALAR","scalar":{"value":128},"allocation_info":{"role":"eng"}},
  {"name":"disk","type":"SCALAR","scalar":{"value":10},"allocation_info":{"role":"eng"}},
  {"name":"ports","type":"RANGES","ranges":{"range":[{"begin":31000,"end":31001}]},"allocation_info":{"role":"eng"}}])";

TEST(TaskInfo, ReadsWhatAMasterSent) {
  mesos::internal::RunTaskMessage message;
  ASSERT_TRUE(decode(*fromBase64(recorded::kRunTask), Media::Protobuf, message));
  const auto request = taskRequestFrom(message.task(), framework(), {});
  ASSERT_TRUE(request) << request.error().message();
  EXPECT_EQ(request->id, "ok");
  EXPECT_EQ(request->framework, "F");
  EXPECT_EQ(request->executor, "ok");
  EXPECT_EQ(request->name, "ok");
  EXPECT_EQ(request->role, "*");
  EXPECT_TRUE(request->container.command.shell);
  EXPECT_EQ(request->container.command.value, "echo hello; sleep 0.5");
  EXPECT_EQ(request->container.command.user, "web");
  EXPECT_EQ(request->container.image, std::nullopt);
  EXPECT_TRUE(request->container.networks.empty());
  EXPECT_EQ(request->container.resources.cpus, 0.1);
  EXPECT_EQ(request->container.resources.memory, Bytes::mebi(32));
  EXPECT_EQ(request->resources.size(), 2U);
  EXPECT_FALSE(request->killGrace);
  mesos::v1::TaskInfo kept;
  ASSERT_TRUE(decode(request->info, Media::Protobuf, kept));
  EXPECT_EQ(kept.DebugString(), message.task().DebugString()) << "labels, discovery, data and all";
}

TEST(TaskInfo, ReadsWhatIsRunInAnImage) {
  mesos::internal::RunTaskMessage message;
  ASSERT_TRUE(decode(*fromBase64(recorded::kRunEntrypointTask), Media::Protobuf, message));
  const auto request = taskRequestFrom(message.task(), framework(), {});
  ASSERT_TRUE(request) << request.error().message();
  EXPECT_EQ(request->container.image, "bb:latest");
  EXPECT_FALSE(request->container.command.shell);
  EXPECT_EQ(request->container.command.value, std::nullopt);
  EXPECT_FALSE(request->container.command.argumentsReplaceCommand);
  EXPECT_TRUE(request->userIsOfHost);
  EXPECT_EQ(request->container.command.user, "web") << "Mesos does not look at the image's user";
}

TEST(TaskInfo, ReadsTheRestOfATask) {
  const TaskRequest request = requestOf(kResources + R"(,
    "command":{"value":"run","user":"www","arguments":["ignored","by","shells"],
      "environment":{"variables":[{"name":"A","value":"1"}]},
      "uris":[{"value":"http://x/a.tgz","cache":true},{"value":"b","executable":true,"extract":false,"output_file":"c/d"}]},
    "kill_policy":{"grace_period":{"nanoseconds":7000000000}},
    "max_completion_time":{"nanoseconds":60000000000},
    "limits":{"cpus":{"value":"Infinity"},"mem":{"value":256}},
    "container":{"type":"MESOS","linux_info":{"share_cgroups":true},"tty_info":{},
      "network_infos":[{"name":"net","ip_addresses":[{}]}]})");
  EXPECT_EQ(request.role, "eng");
  EXPECT_EQ(request.container.command.user, "www");
  EXPECT_TRUE(request.container.command.arguments.empty());
  EXPECT_EQ(request.container.command.environment.at("A"), "1");
  EXPECT_EQ(request.uris,
            (std::vector<tasks::Uri>{{"http://x/a.tgz", false, true, true, ""}, {"b", true, false, false, "c/d"}}));
  EXPECT_EQ(request.killGrace, 7s);
  EXPECT_EQ(request.maxCompletionTime, 1min);
  EXPECT_EQ(request.container.resources.cpusLimit, isolators::Resources::kInfinity);
  EXPECT_EQ(request.container.resources.memory, Bytes::mebi(128));
  EXPECT_EQ(request.container.resources.memoryLimit, Bytes::mebi(256));
  EXPECT_EQ(request.container.resources.disk, std::nullopt) << "disk is counted, not enforced";
  EXPECT_TRUE(request.container.terminal);
  EXPECT_EQ(request.container.networks.front().name, "net");
}

TEST(TaskInfo, GivesEachTaskWhatMesosGivesTheSmallest) {
  EXPECT_EQ(requestOf(kCommand).container.resources.memory, Bytes::mebi(32));
  const std::string small = R"("resources":[{"name":"mem","type":"SCALAR","scalar":{"value":4}},
                               {"name":"cpus","type":"SCALAR","scalar":{"value":0}}],"limits":{"mem":{"value":5}},)";
  EXPECT_EQ(requestOf(small + kCommand).container.resources.memory, Bytes::mebi(32));
  EXPECT_EQ(requestOf(small + kCommand).container.resources.memoryLimit, Bytes::mebi(32));
  EXPECT_EQ(requestOf(small + kCommand).container.resources.cpus, std::nullopt);
}

// Resources from a master that writes them the old way, and does not say to which role they are allocated.
TEST(TaskInfo, BringsResourcesIntoTheNewForm) {
  const TaskRequest request = requestOf(
      R"("resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":1},"role":"eng"},
                      {"name":"zones","type":"SET","set":{"item":["a"]},"role":"*"}],)" +
      kCommand);
  ASSERT_EQ(request.resources.size(), 2U);
  mesos::v1::Resource cpus;
  ASSERT_TRUE(decode(request.resources[0], Media::Protobuf, cpus));
  EXPECT_FALSE(cpus.has_role());
  ASSERT_EQ(cpus.reservations_size(), 1);
  EXPECT_EQ(cpus.reservations(0).role(), "eng");
  EXPECT_EQ(cpus.allocation_info().role(), "eng");
}

TEST(TaskInfo, RefusesWhatIsNotServed) {
  EXPECT_EQ(refusalOf(kCommand + R"(,"executor":{"executor_id":{"value":"e"}})"),
            "task.executor: executors of a framework are not supported by this agent");
  EXPECT_EQ(refusalOf(kCommand + R"(,"health_check":{})"),
            "task.health_check: health checks are not supported by this agent");
  EXPECT_EQ(refusalOf(kCommand + R"(,"check":{})"), "task.check: checks are not supported by this agent");
  const auto resource = [](const std::string& members) {
    return refusalOf(kCommand + R"(,"resources":[{"type":"SCALAR","scalar":{"value":1},)" + members + "}]");
  };
  EXPECT_EQ(resource(R"("name":"gpus")"), "task.resources[0].name: 'gpus' are not supported by this agent");
  EXPECT_EQ(resource(R"("name":"disk","disk":{"persistence":{"id":"v"}})"),
            "task.resources[0].disk: persistent volumes are not supported by this agent");
  EXPECT_EQ(resource(R"("name":"disk","disk":{"source":{"type":"MOUNT"}})"),
            "task.resources[0].disk.source: disks are not supported by this agent");
  EXPECT_EQ(resource(R"("name":"bandwidth")"), "accepted") << "the operator's own, who counts them";
}

TEST(TaskInfo, NamesWhatIsWrong) {
  EXPECT_EQ(refusalOf(R"("data":"")"), "task.command: is required");
  EXPECT_EQ(refusalOf(R"("command":{})"),
            "task.command.value: is required when 'shell' is true, which it is by default");
  EXPECT_EQ(refusalOf(R"("command":{"shell":false})"),
            "task.command: names no program, and there is no image to take one from");
  EXPECT_EQ(refusalOf(R"("command":{"value":"a","uris":[{"value":""}]})"),
            "task.command.uris[0].value: must not be empty");
  for (const char* path : {"/etc/passwd", "../x", "a/../../x"}) {
    EXPECT_EQ(refusalOf(R"("command":{"value":"a","uris":[{"value":"u","output_file":")" + std::string(path) + "\"}]}"),
              "task.command.uris[0].output_file: must be a path within the sandbox");
  }
  EXPECT_EQ(refusalOf(kCommand + R"(,"kill_policy":{"grace_period":{"nanoseconds":-1}})"),
            "task.kill_policy.grace_period.nanoseconds: must not be negative");
  EXPECT_EQ(refusalOf(kCommand + R"(,"limits":{"disk":{"value":1}})"),
            "task.limits.disk: only 'cpus' and 'mem' can be limited");
}

TEST(TaskInfo, TakesForeverForACentury) {
  const TaskRequest request =
      requestOf(kCommand + R"(,"kill_policy":{"grace_period":{"nanoseconds":9223372036854775807}})");
  EXPECT_EQ(request.killGrace, std::chrono::nanoseconds(std::chrono::years(100)));
}

TEST(TaskInfo, RefusesIdsThatAreNoNames) {
  for (const std::string& id : std::vector<std::string>{"", ".", "..", "a/b", "a\n", std::string(256, 'a')}) {
    mesos::v1::TaskInfo info;
    info.set_name("x");
    info.mutable_task_id()->set_value(id);
    info.mutable_agent_id()->set_value("S0");
    info.mutable_command()->set_value("true");
    const auto request = taskRequestFrom(info, framework(), {});
    ASSERT_FALSE(request) << id;
    EXPECT_TRUE(request.error().message().starts_with("task.task_id.value: "));
  }
}

TEST(FrameworkInfo, TellsWhatAFrameworkMayBeTold) {
  mesos::v1::FrameworkInfo info;
  info.set_user("u");
  info.set_name("n");
  EXPECT_FALSE(frameworkFrom(info, "")) << "there is no id";
  info.mutable_id()->set_value("F");
  info.set_role("old");
  info.add_roles("new");
  auto framework = frameworkFrom(info, "scheduler(1)@10.0.0.1:80");
  ASSERT_TRUE(framework);
  EXPECT_EQ(framework->roles, std::vector<std::string>{"old"});
  EXPECT_EQ(framework->pid, "scheduler(1)@10.0.0.1:80");
  EXPECT_FALSE(framework->partitionAware);
  info.add_capabilities()->set_type(mesos::v1::FrameworkInfo::Capability::MULTI_ROLE);
  EXPECT_EQ(frameworkFrom(info, "@0.0.0.0:0")->roles, std::vector<std::string>{"new"});
}

// --- containers of type DOCKER

const std::string kTrue = R"("command":{"shell":false,"value":"true"})";

std::string docker(const std::string& members, const std::string& beside = "", const std::string& command = kTrue) {
  return kResources + "," + command + R"(,"container":{"type":"DOCKER","docker":{"image":"python:3")" +
         (members.empty() ? "" : ",") + members + "}" + beside + "}";
}

std::string parameter(const std::string& key, const std::string& value) {
  return docker(R"("parameters":[{"key":")" + key + R"(","value":")" + value + "\"}]");
}

isolators::ContainerRequest with(const std::string& key, const std::string& value) {
  return requestOf(parameter(key, value)).container;
}

std::string refusalOf(const std::string& key, const std::string& value) {
  const std::string prefix = "task.container.docker.parameters[0].";
  std::string message = refusalOf(parameter(key, value));
  if (message == "accepted") return message;
  EXPECT_TRUE(message.starts_with(prefix)) << message;
  return message.substr(prefix.size());
}

// What Marathon makes of an app of type DOCKER with one mapped port.
TEST(DockerTask, ReadsAnAppOfMarathon) {
  const TaskRequest request = requestOf(docker(
      R"("network":"BRIDGE","privileged":false,"force_pull_image":false,
         "port_mappings":[{"host_port":31000,"container_port":8080,"protocol":"tcp"}])",
      "", R"("command":{"value":"python3 -m http.server 8080","shell":true,
             "environment":{"variables":[{"name":"PORT0","value":"31000"}]}})"));
  EXPECT_EQ(request.container.image, "python:3");
  EXPECT_TRUE(request.container.useCachedImage);
  EXPECT_TRUE(request.container.command.shell);
  EXPECT_EQ(request.container.command.user, std::nullopt) << "the image's";
  EXPECT_FALSE(request.container.security.privileged);
  EXPECT_TRUE(request.container.security.onlyRootHasCapabilities);
  EXPECT_FALSE(request.userIsOfHost);
  ASSERT_EQ(request.container.networks.size(), 1U);
  EXPECT_EQ(request.container.networks[0].name, "cni-bridge");
  EXPECT_EQ(request.container.networks[0].portMappings,
            (std::vector<PortMapping>{{31000, 8080, PortMapping::Protocol::Tcp}}));
}

TEST(DockerTask, JoinsTheNetworkOfItsType) {
  const auto networkOf = [](const std::string& members, const std::string& beside = "") {
    return requestOf(docker(members, beside)).container.networks.at(0).name;
  };
  EXPECT_EQ(networkOf(""), "host");
  EXPECT_EQ(networkOf(R"("network":"HOST")"), "host");
  EXPECT_EQ(networkOf(R"("network":"NONE")"), "none");
  EXPECT_EQ(networkOf(R"("network":"USER")", R"(,"network_infos":[{"name":"dcos"}])"), "dcos");
  EXPECT_EQ(networkOf(R"("network":"BRIDGE")", R"(,"network_infos":[{"labels":{}}])"), "cni-bridge");
  EXPECT_EQ(with("net", "none").networks.at(0).name, "none");
  EXPECT_EQ(with("network", "bridge").networks.at(0).name, "cni-bridge");
  EXPECT_EQ(refusalOf(docker(R"("network":"USER")")),
            "task.container.network_infos: must have one entry for the network USER");
  EXPECT_EQ(refusalOf(docker(R"("network":"USER")", R"(,"network_infos":[{}])")),
            "task.container.network_infos[0].name: is required for the network USER");
  EXPECT_EQ(refusalOf(docker("", R"(,"network_infos":[{"name":"x"}])")),
            "task.container.network_infos[0].name: needs the network USER");
}

TEST(DockerTask, MapsOnlyPortsOfItsOwn) {
  const auto mapped = [](const std::string& network, const std::string& mapping) {
    return refusalOf(docker(R"("network":")" + network + R"(","port_mappings":[{)" + mapping + "}]"));
  };
  EXPECT_EQ(mapped("BRIDGE", R"("host_port":31001,"container_port":53,"protocol":"udp")"), "accepted");
  EXPECT_EQ(mapped("BRIDGE", R"("host_port":0,"container_port":80)"), "accepted");
  EXPECT_EQ(mapped("BRIDGE", R"("host_port":31002,"container_port":80)"),
            "task.container.docker.port_mappings: the host port 31002 is not among the task's 'ports' resources");
  EXPECT_EQ(mapped("HOST", R"("host_port":31000,"container_port":80)"),
            "task.container.docker.port_mappings: the network 'host' has no ports to map");
  EXPECT_EQ(mapped("BRIDGE", R"("host_port":31000,"container_port":0)"),
            "task.container.docker.port_mappings[0].container_port: must be from 1 to 65535");
  EXPECT_EQ(mapped("BRIDGE", R"("host_port":31000,"container_port":1,"protocol":"sctp")"),
            "task.container.docker.port_mappings[0].protocol: must be 'tcp' or 'udp'");
}

TEST(DockerTask, RunsWhatDockerWouldRun) {
  const auto commandOf = [](const std::string& command, const std::string& members = "") {
    return requestOf(docker(members, "", R"("command":)" + command)).container.command;
  };
  const auto shell = commandOf(R"({"value":"a b","arguments":["c"]})");
  EXPECT_TRUE(shell.shell);
  EXPECT_EQ(shell.value, "a b");
  EXPECT_TRUE(shell.arguments.empty());
  const auto words = commandOf(R"({"shell":false,"value":"a","arguments":["b","c"],"user":"ignored"})");
  EXPECT_EQ(words.value, std::nullopt);
  EXPECT_EQ(words.arguments, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_TRUE(words.argumentsReplaceCommand);
  EXPECT_EQ(words.user, std::nullopt);
  EXPECT_TRUE(commandOf(R"({"shell":false})").arguments.empty()) << "the image decides";
  const std::string entrypoint = R"("parameters":[{"key":"entrypoint","value":"/e"}])";
  const auto entered = commandOf(R"({"shell":false,"arguments":["b"]})", entrypoint);
  EXPECT_EQ(entered.value, "/e");
  EXPECT_EQ(entered.arguments, (std::vector<std::string>{"/e", "b"}));
  const std::string none = R"("parameters":[{"key":"entrypoint","value":""}])";
  EXPECT_EQ(commandOf(R"({"shell":false,"arguments":["b"]})", none).value, "b");
  EXPECT_EQ(refusalOf(docker(none, "", R"("command":{"shell":false})")),
            "task.command: names no program, and the image's entrypoint is dropped");
  EXPECT_EQ(refusalOf(docker(entrypoint, "", R"("command":{"value":"x"})")),
            "task.container.docker.parameters: '--entrypoint' excludes a command for the shell");
}

TEST(DockerTask, TakesOptionsOver) {
  EXPECT_EQ(with("env", "A=b=c").command.environment.at("A"), "b=c");
  EXPECT_EQ(with("user", "1000:1000").command.user, "1000:1000");
  EXPECT_EQ(with("hostname", "h").hostname, "h");
  EXPECT_EQ(with("workdir", "/srv").command.workingDirectory, "/srv");
  EXPECT_EQ(with("label", "k=v").labels.at("k"), "v");
  EXPECT_EQ(with("shm-size", "64m").shmSize, Bytes::mebi(64));
  EXPECT_EQ(with("memory", "1g").resources.memoryLimit, Bytes::gibi(1));
  EXPECT_EQ(with("cpus", "1.5").resources.cpusLimit, 1.5);
  EXPECT_EQ(with("pids-limit", "100").resources.pids, 100U);
  EXPECT_TRUE(with("read-only", "true").security.readOnlyRootfs);
  EXPECT_TRUE(with("privileged", "true").security.privileged);
  EXPECT_TRUE(with("security-opt", "seccomp=unconfined").security.seccompUnconfined);
  EXPECT_TRUE(with("ipc", "host").security.shareIpcNamespace);
  EXPECT_TRUE(with("pid", "host").security.sharePidNamespace);
  EXPECT_EQ(with("ulimit", "nofile=1024:2048").rlimits,
            (std::vector<isolators::Rlimit>{{"RLIMIT_NOFILE", 1024, 2048}}));
  EXPECT_EQ(with("ulimit", "core=-1").rlimits.at(0).hard, UINT64_MAX);
  for (const auto& [key, value] : {std::pair("rm", "true"), {"init", "false"}, {"restart", "no"}, {"expose", "80"}}) {
    EXPECT_EQ(refusalOf(key, value), "accepted") << key;
  }
  EXPECT_TRUE(requestOf(docker(R"("privileged":true)")).container.security.privileged);
  EXPECT_FALSE(requestOf(docker(R"("force_pull_image":true)")).container.useCachedImage);
}

TEST(DockerTask, MountsVolumesOfBothKinds) {
  const Volume volume = with("volume", "/srv/data:/data:ro,rslave,z").volumes.at(0);
  EXPECT_EQ(volume,
            (Volume{Volume::Source::HostPath, "/srv/data", "/data", true, Volume::Propagation::HostToContainer, {}}));
  const Volume tmpfs = with("tmpfs", "/run:size=64m,mode=1777").volumes.at(0);
  EXPECT_EQ(tmpfs.source, Volume::Source::Tmpfs);
  EXPECT_EQ(tmpfs.containerPath, "/run");
  EXPECT_EQ(tmpfs.tmpfsOptions, (std::vector<std::string>{"size=64m", "mode=1777"}));
  EXPECT_EQ(requestOf(docker("", R"(,"volumes":[{"container_path":"/c","host_path":"/h","mode":"RO"}])"))
                .container.volumes.at(0)
                .path,
            "/h");
}

TEST(DockerTask, AddsAndDropsCapabilities) {
  const auto capabilities = [](const std::string& parameters) {
    return *requestOf(docker(R"("parameters":[)" + parameters + "]")).container.security.effectiveCapabilities;
  };
  const auto has = [](const std::vector<std::string>& names, const std::string& name) {
    return std::ranges::find(names, name) != names.end();
  };
  const auto added = capabilities(R"({"key":"cap-add","value":"net_admin"})");
  EXPECT_EQ(added.size(), 15U);
  EXPECT_TRUE(has(added, "CAP_NET_ADMIN"));
  const auto one = capabilities(R"({"key":"cap-drop","value":"ALL"},{"key":"cap-add","value":"CAP_CHOWN"})");
  EXPECT_EQ(one, std::vector<std::string>{"CAP_CHOWN"});
  const auto most = capabilities(R"({"key":"cap-add","value":"ALL"},{"key":"cap-drop","value":"SYS_ADMIN"})");
  EXPECT_EQ(most.size(), 40U);
  EXPECT_FALSE(has(most, "CAP_SYS_ADMIN"));
  EXPECT_EQ(with("user", "1").security.effectiveCapabilities, std::nullopt);
}

TEST(DockerTask, RefusesOtherOptionsByName) {
  EXPECT_EQ(refusalOf("gpus", "all"), "key: '--gpus' is not supported by this agent");
  EXPECT_EQ(refusalOf("log-driver", "syslog"), "key: '--log-driver' is not supported by this agent");
  EXPECT_EQ(refusalOf("init", "true"), "value: '--init=true' is not supported by this agent");
  EXPECT_EQ(refusalOf("restart", "always"), "value: '--restart=always' is for the framework to decide");
  EXPECT_EQ(refusalOf("volume", "data:/data"),
            "value: '--volume=data:/data' names a volume; only directories of the host are known here");
  EXPECT_EQ(refusalOf("volume", "/data"),
            "value: '--volume=/data' asks for an anonymous volume; name a directory of the host");
  EXPECT_EQ(refusalOf("volume", "/a:/b:rq"), "value: '--volume=/a:/b:rq' has the unknown option 'rq'");
  EXPECT_EQ(refusalOf("memory", "64m"), "value: '--memory=64m' is below the task's 'mem' of 128MiB");
  EXPECT_EQ(refusalOf("cpus", "0.1"), "value: '--cpus=0.1' is below the task's 'cpus'");
  EXPECT_EQ(refusalOf("cap-add", "FLY"), "value: '--cap-add=FLY' is no capability");
  EXPECT_EQ(refusalOf("ulimit", "nofile"), "value: '--ulimit=nofile' must be NAME=SOFT[:HARD]");
  EXPECT_EQ(refusalOf("ulimit", "nofile=2:1"), "value: '--ulimit=nofile=2:1' the soft limit exceeds the hard one");
  EXPECT_EQ(refusalOf("net", "container:x"), "value: '--net=container:x' shares the network of another container");
  EXPECT_EQ(refusalOf("env", "HOME"),
            "value: '--env=HOME' takes a variable from the Docker daemon, of which there is none");
  EXPECT_EQ(refusalOf("read-only", "maybe"), "value: '--read-only=maybe' must be 'true' or 'false'");
  EXPECT_EQ(refusalOf("security-opt", "apparmor=x"),
            "value: '--security-opt=apparmor=x' is not supported by this agent");
  EXPECT_EQ(refusalOf(docker(R"("volume_driver":"rexray")")),
            "task.container.docker.volume_driver: volume drivers are not supported by this agent");
  EXPECT_EQ(refusalOf(kCommand + R"(,"container":{"type":"DOCKER"})"), "task.container.docker: is required");
  EXPECT_EQ(refusalOf(kCommand + R"(,"container":{"type":"DOCKER","docker":{"image":""}})"),
            "task.container.docker.image: must not be empty");
}

}  // namespace
}  // namespace gantry::agent::wire
