#include "cli/launch_request.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "agent/wire/call.hpp"

namespace gantry::cli {
namespace {

using Words = std::vector<std::string>;

RunOptions optionsFor(Words command = {}) {
  RunOptions options;
  options.image = "busybox";
  options.command = std::move(command);
  return options;
}

// What the agent understands of it.
isolators::ContainerRequest understood(const RunOptions& options, const ImageProgram& image = {{}, {"sh"}}) {
  const auto body = launchBody(options, "web", image, {24, 80});
  EXPECT_TRUE(body) << (body ? "" : body.error().message());
  auto request = agent::wire::parseLaunch(body ? *body : "", agent::wire::Media::Json);
  EXPECT_TRUE(request) << (request ? "" : request.error().message());
  return request ? *request : isolators::ContainerRequest(*ContainerId::root("failed"));
}

TEST(Program, IsWhatDockerWouldRun) {
  const ImageProgram both{{"/entry"}, {"a", "b"}};
  EXPECT_EQ(*programOf(optionsFor(), both), (Words{"/entry", "a", "b"}));
  EXPECT_EQ(*programOf(optionsFor({"x"}), both), (Words{"/entry", "x"}));
  EXPECT_EQ(*programOf(optionsFor({"x"}), {{}, {"sh"}}), Words{"x"});
  RunOptions other = optionsFor({"x"});
  other.entrypoint = "/other";
  EXPECT_EQ(*programOf(other, both), (Words{"/other", "x"}));
  other.command.clear();
  EXPECT_EQ(*programOf(other, both), Words{"/other"});
  other.entrypoint = "";
  EXPECT_FALSE(programOf(other, both));
  EXPECT_FALSE(programOf(optionsFor(), {}));
}

TEST(Program, IsReadFromTheImagesConfiguration) {
  EXPECT_EQ(parseImageProgram(R"({"config":{"Entrypoint":["/e"],"Cmd":["a"]}})"), (ImageProgram{{"/e"}, {"a"}}));
  EXPECT_EQ(parseImageProgram(R"({"config":{"Entrypoint":null}})"), ImageProgram());
  EXPECT_EQ(parseImageProgram("{}"), ImageProgram());
  EXPECT_EQ(parseImageProgram("garbage"), ImageProgram());
}

TEST(LaunchBody, IsUnderstoodByTheAgent) {
  RunOptions options = optionsFor({"httpd", "-f"});
  options.interactive = true;
  options.environment = {"A=1"};
  options.volumes = {"/srv:/data:ro"};
  options.ports = {"8080:80", "53:53/udp"};
  options.cpus = 0.5;
  options.memory = "64m";
  options.disk = "1g";
  options.shmSize = "32m";
  options.pidsLimit = 50;
  options.user = "1000";
  options.workdir = "/tmp";
  options.hostname = "h";
  options.readOnly = true;
  options.privileged = true;
  options.capDrop = {"ALL"};
  options.securityOptions = {"seccomp=unconfined"};
  options.labels = {"a=b"};
  options.ulimits = {"nofile=10:20", "core=unlimited"};

  const auto request = understood(options);
  EXPECT_EQ(request.id.text(), "web");
  EXPECT_EQ(request.image, "busybox");
  EXPECT_FALSE(request.command.shell);
  EXPECT_EQ(request.command.value, "httpd");
  EXPECT_EQ(request.command.arguments, (Words{"httpd", "-f"}));
  EXPECT_EQ(request.command.environment.at("A"), "1");
  EXPECT_EQ(request.command.user, "1000");
  EXPECT_EQ(request.command.workingDirectory, "/tmp");
  EXPECT_EQ(request.resources.cpus, 0.5);
  EXPECT_EQ(request.resources.cpusLimit, 0.5);
  EXPECT_EQ(request.resources.memory, Bytes::mebi(64));
  EXPECT_EQ(request.resources.disk, Bytes::gibi(1));
  EXPECT_EQ(request.resources.pids, 50U);
  ASSERT_EQ(request.volumes.size(), 1U);
  EXPECT_TRUE(request.volumes[0].readOnly);
  ASSERT_EQ(request.networks.size(), 1U);
  EXPECT_EQ(request.networks[0].name, "bridge");
  EXPECT_EQ(request.networks[0].portMappings,
            (std::vector<isolators::PortMapping>{{8080, 80, isolators::PortMapping::Protocol::Tcp},
                                                 {53, 53, isolators::PortMapping::Protocol::Udp}}));
  EXPECT_EQ(request.hostname, "h");
  EXPECT_TRUE(request.openStdin);
  EXPECT_FALSE(request.terminal);
  EXPECT_EQ(request.shmSize, Bytes::mebi(32));
  EXPECT_TRUE(request.security.readOnlyRootfs);
  EXPECT_TRUE(request.security.privileged);
  EXPECT_TRUE(request.security.seccompUnconfined);
  EXPECT_TRUE(request.security.effectiveCapabilities->empty());
  EXPECT_TRUE(request.security.onlyRootHasCapabilities);
  EXPECT_EQ(request.labels.at("a"), "b");
  EXPECT_EQ(request.rlimits,
            (std::vector<isolators::Rlimit>{{"RLIMIT_NOFILE", 10, 20}, {"RLIMIT_CORE", UINT64_MAX, UINT64_MAX}}));
}

TEST(LaunchBody, AsksForATerminalOfThisSize) {
  RunOptions options = optionsFor();
  options.terminal = true;
  const auto request = understood(options);
  EXPECT_TRUE(request.terminal);
  EXPECT_EQ(request.terminalRows, 24);
  EXPECT_EQ(request.terminalColumns, 80);
}

TEST(LaunchBody, JoinsTheNetworksThatWereNamed) {
  RunOptions options = optionsFor();
  options.networks = {"none"};
  EXPECT_EQ(understood(options).networks.at(0).name, "none");
}

TEST(LaunchBody, RefusesWhatMakesNoSense) {
  const auto refused = [](auto change) {
    RunOptions options = optionsFor({"a"});
    change(options);
    return !launchBody(options, "web", {}, {});
  };
  EXPECT_TRUE(refused([](RunOptions& options) { options.memory = "lots"; }));
  EXPECT_TRUE(refused([](RunOptions& options) { options.cpus = 0; }));
  EXPECT_TRUE(refused([](RunOptions& options) { options.cpus = std::numeric_limits<double>::infinity(); }));
  EXPECT_TRUE(refused([](RunOptions& options) { options.cpus = std::numeric_limits<double>::quiet_NaN(); }));
  EXPECT_TRUE(refused([](RunOptions& options) { options.ports = {"x"}; }));
  EXPECT_TRUE(refused([](RunOptions& options) { options.volumes = {"x"}; }));
  EXPECT_TRUE(refused([](RunOptions& options) { options.securityOptions = {"apparmor=x"}; }));
  EXPECT_TRUE(refused([](RunOptions& options) { options.shmSize = "1k"; }));
  EXPECT_TRUE(refused([](RunOptions& options) { options.command = {"\xff"}; }));
}

TEST(SessionBody, IsUnderstoodByTheAgent) {
  ExecOptions options;
  options.container = "web";
  options.command = {"sh", "-c", "true"};
  options.terminal = true;
  options.environment = {"A=1"};
  options.user = "0";
  options.workdir = "/";
  const auto request = agent::wire::parseSession(*sessionBody(options, "s", {24, 80}), agent::wire::Media::Json);
  ASSERT_TRUE(request) << request.error().message();
  EXPECT_EQ(request->id.text(), "web.s");
  EXPECT_EQ(request->command.arguments, (Words{"sh", "-c", "true"}));
  EXPECT_EQ(request->command.workingDirectory, "/");
  EXPECT_EQ(request->terminalRows, 24);
}

}  // namespace
}  // namespace gantry::cli
