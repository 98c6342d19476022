#include "agent/containers/request_json.hpp"

#include <gtest/gtest.h>

namespace gantry::agent {
namespace {

using isolators::ContainerRequest;
using isolators::PortMapping;
using isolators::Resources;
using isolators::Volume;

ContainerRequest requestWithEverySet() {
  ContainerRequest request(*ContainerId::parse("web.check-1"));
  request.image = "docker://127.0.0.1:5000/a/b:tag";
  request.useCachedImage = false;
  request.command.shell = false;
  request.command.value = "/bin/echo";
  request.command.arguments = {"echo", "a b", ""};
  request.command.argumentsReplaceCommand = true;
  request.command.environment = {{"A", "1"}, {"EMPTY", ""}};
  request.command.user = "1000:users";
  request.command.workingDirectory = "/srv";
  request.resources = {.cpus = 0.1,
                       .cpusLimit = Resources::kInfinity,
                       .memory = Bytes::mebi(64),
                       .memoryLimit = Bytes{UINT64_MAX},
                       .pids = 10,
                       .disk = Bytes::gibi(1)};
  request.volumes.push_back({.source = Volume::Source::SandboxPath,
                             .path = "data",
                             .containerPath = "/data",
                             .readOnly = true,
                             .propagation = Volume::Propagation::Bidirectional});
  request.volumes.push_back(
      {.source = Volume::Source::Tmpfs, .containerPath = "/run", .tmpfsOptions = {"size=64m", "exec"}});
  request.networks.push_back(
      {.name = "bridge",
       .portMappings = {{.hostPort = 0, .containerPort = 53, .protocol = PortMapping::Protocol::Udp}},
       .labels = {{"k", "v"}}});
  request.hostname = "host";
  request.security = {.privileged = true,
                      .shareIpcNamespace = true,
                      .sharePidNamespace = true,
                      .effectiveCapabilities = std::vector<std::string>{},
                      .boundingCapabilities = std::vector<std::string>{"CAP_CHOWN"},
                      .onlyRootHasCapabilities = true,
                      .seccompUnconfined = true,
                      .readOnlyRootfs = true};
  request.rlimits.push_back({.type = "RLIMIT_NOFILE", .soft = 1, .hard = UINT64_MAX});
  request.shmSize = Bytes::mebi(1);
  request.terminal = true;
  request.terminalRows = 25;
  request.terminalColumns = 80;
  request.openStdin = true;
  request.labels = {{"team", "a"}};
  return request;
}

TEST(RequestJson, KeepsEveryField) {
  const ContainerRequest request = requestWithEverySet();
  const Result<std::string> json = toJson(request);
  ASSERT_TRUE(json);
  const Result<ContainerRequest> again = parseRequest(*json);
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(*again, request);
}

TEST(RequestJson, KeepsDefaults) {
  const ContainerRequest request(*ContainerId::parse("web"));
  EXPECT_EQ(*parseRequest(*toJson(request)), request);
}

TEST(RequestJson, NamesTheMemberThatIsWrong) {
  const auto message = [](const char* json) { return parseRequest(json).error().message(); };
  EXPECT_EQ(message("{"), "request: is not JSON");
  EXPECT_EQ(message("[]").substr(0, 3), "id:");
  EXPECT_EQ(message(R"({"id":"web","volumes":{}})"), "volumes: is not an array");
  EXPECT_EQ(message(R"({"id":"web","volumes":[{"source":"moon"}]})"), "volumes[0].source: 'moon' is not known");
  EXPECT_TRUE(message(R"({"id":"web","command":{"shell":"yes"}})").starts_with("command.shell: "));
}

TEST(RequestJson, RefusesWhatIsNotUtf8) {
  ContainerRequest request(*ContainerId::parse("web"));
  request.command.value = "\xff";
  const Result<std::string> json = toJson(request);
  ASSERT_FALSE(json);
  EXPECT_EQ(json.error().code(), Code::InvalidArgument);
}

}  // namespace
}  // namespace gantry::agent
