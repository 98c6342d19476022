#include "agent/containers/bundle.hpp"

#include <algorithm>
#include <chrono>

#include <gtest/gtest.h>

namespace gantry::agent {
namespace {

using isolators::Command;
using isolators::Container;
using isolators::ContainerRequest;
using isolators::Contribution;

constexpr const char* kSandbox = "/mnt/mesos/sandbox";

Container container() {
  Container made{.request = ContainerRequest(*ContainerId::parse("web"))};
  made.request.command = {.shell = false, .value = "/bin/true"};
  made.cgroupPath = "/gantry/web";
  return made;
}

oci::Spec build(const Container& from, std::vector<Contribution> contributions = {},
                ResolvedUser user = {.home = "/root"}) {
  contributions.insert(contributions.begin(), Contribution{.rootfs = "/run/rootfs"});
  const Result<oci::Spec> spec = buildBundle(from, contributions, user, kSandbox);
  EXPECT_TRUE(spec) << spec.error().message();
  return *spec;
}

const oci::Mount* mountAt(const oci::Spec& spec, std::string_view destination) {
  const auto found =
      std::ranges::find_if(spec.mounts, [&](const oci::Mount& each) { return each.destination == destination; });
  return found == spec.mounts.end() ? nullptr : &*found;
}

using Line = std::vector<std::string>;

struct CommandRow {
  const char* name;
  Command command;
  Line entrypoint;
  Line cmd;
  Line expected;  // empty: an error
};

class CommandLineTable : public testing::TestWithParam<CommandRow> {};

TEST_P(CommandLineTable, IsThatOfMesos) {
  const CommandRow& row = GetParam();
  const Result<Line> line = commandLine(row.command, {.entrypoint = row.entrypoint, .cmd = row.cmd});
  if (row.expected.empty()) {
    ASSERT_FALSE(line);
    EXPECT_EQ(line.error().code(), Code::InvalidArgument);
    EXPECT_TRUE(line.error().message().starts_with("command.")) << line.error().message();
  } else {
    ASSERT_TRUE(line) << line.error().message();
    EXPECT_EQ(*line, row.expected);
  }
}

const Command kNothing{.shell = false};
const Command kArguments{.shell = false, .arguments = {"a", "b"}};
const Command kValue{.shell = false, .value = "/bin/x"};
const Command kValueAndArguments{.shell = false, .value = "/bin/x", .arguments = {"x", "b"}};
const Command kShell{.value = "a | b"};
const Command kDocker{.shell = false, .arguments = {"a", "b"}, .argumentsReplaceCommand = true};

INSTANTIATE_TEST_SUITE_P(
    Rows, CommandLineTable,
    testing::Values(CommandRow{"NothingNoNo", kNothing, {}, {}, {}},
                    CommandRow{"NothingNoYes", kNothing, {}, {"c", "d"}, {"c", "d"}},
                    CommandRow{"NothingYesNo", kNothing, {"e"}, {}, {"e"}},
                    CommandRow{"NothingYesYes", kNothing, {"e"}, {"c", "d"}, {"e", "c", "d"}},
                    CommandRow{"ArgumentsNoNo", kArguments, {}, {}, {}},
                    CommandRow{"ArgumentsNoYes", kArguments, {}, {"c", "d"}, {"c", "a", "b"}},
                    CommandRow{"ArgumentsYesNo", kArguments, {"e", "f"}, {}, {"e", "f", "a", "b"}},
                    CommandRow{"ArgumentsYesYes", kArguments, {"e"}, {"c"}, {"e", "a", "b"}},
                    CommandRow{"DockerNoNo", kDocker, {}, {}, {"a", "b"}},
                    CommandRow{"DockerNoYes", kDocker, {}, {"c", "d"}, {"a", "b"}},
                    CommandRow{"DockerYesYes", kDocker, {"e"}, {"c"}, {"e", "a", "b"}},
                    CommandRow{"Value", kValue, {"e"}, {"c"}, {"/bin/x"}},
                    CommandRow{"ValueAndArguments", kValueAndArguments, {"e"}, {"c"}, {"/bin/x", "b"}},
                    CommandRow{"EmptyValue", {.shell = false, .value = ""}, {"e"}, {"c"}, {}},
                    CommandRow{"AnotherName", {.shell = false, .value = "/x", .arguments = {"y"}}, {}, {}, {}},
                    CommandRow{"Shell", kShell, {"e"}, {"c"}, {"/bin/sh", "-c", "a | b"}},
                    CommandRow{"ShellWithoutValue", {}, {"e"}, {"c"}, {}},
                    CommandRow{"ShellWithArguments", {.value = "a", .arguments = {"b"}}, {}, {}, {}}),
    [](const auto& row) { return row.param.name; });

TEST(BuildBundle, HasTheMountsThatDockerGives) {
  Line destinations;
  for (const oci::Mount& mount : build(container()).mounts) destinations.push_back(mount.destination);
  EXPECT_EQ(destinations, (Line{"/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys", "/sys/fs/cgroup"}));
}

TEST(BuildBundle, LaterVariablesOverrideEarlierOnesInPlace) {
  Container from = container();
  from.imageConfig.config.env = {"PATH=/image", "A=image", "B=image", "A=image2", "NOVALUE", "=x"};
  from.request.command.environment = {{"B", "request"}, {"Z", ""}};
  from.request.terminal = true;
  const Contribution contribution{.environment = {{"MESOS_SANDBOX", kSandbox}, {"B", "isolator"}}};
  EXPECT_EQ(build(from, {contribution}).process->env,
            (Line{"PATH=/image", "HOSTNAME=web", "TERM=xterm", "HOME=/root", "A=image2", "B=request",
                  "MESOS_SANDBOX=/mnt/mesos/sandbox", "Z="}));
}

TEST(BuildBundle, WorksInTheRequestsDirectoryElseTheImagesElseTheSandbox) {
  Container from = container();
  EXPECT_EQ(build(from).process->cwd, kSandbox);
  from.imageConfig.config.workingDir = "srv";
  EXPECT_EQ(build(from).process->cwd, "/srv");
  from.request.command.workingDirectory = "/tmp";
  EXPECT_EQ(build(from).process->cwd, "/tmp");
}

TEST(BuildBundle, NamesTheHostAfterTheIdWhichItCutsAt63Characters) {
  Container from{.request = ContainerRequest(*ContainerId::parse(std::string(100, 'a')))};
  from.request.command.value = "true";
  EXPECT_EQ(build(from).hostname, std::string(63, 'a'));
  from.request.hostname = "db";
  EXPECT_EQ(build(from).hostname, "db");
}

TEST(BuildBundle, AContributedMountReplacesTheDefaultOne) {
  const Contribution contribution{.mounts = {{.destination = "/dev/shm", .type = "bind", .source = "/host"},
                                             {.destination = "/data", .type = "bind", .source = "/data"},
                                             {.destination = "/data", .type = "bind", .source = "/other"}}};
  const oci::Spec spec = build(container(), {contribution});
  EXPECT_EQ(mountAt(spec, "/dev/shm")->source, "/host");
  EXPECT_EQ(spec.mounts.size(), 9U);
}

TEST(BuildBundle, AContainerIsNotShieldedFromTheOutOfMemoryKillerAsTheAgentIs) {
  EXPECT_EQ(build(container()).process->oomScoreAdj, 0);
}

TEST(BuildBundle, FoldsContributionsInOrder) {
  Contribution first;
  first.namespaces = {{.type = "pid"}, {.type = "network", .path = "/a"}};
  first.rlimits = {{.type = "RLIMIT_CORE", .soft = 1, .hard = 1}};
  first.resources.emplace().pidsLimit = 10;
  first.resources->devices.push_back({.allow = false, .access = "rwm"});
  first.oomScoreAdj = 1;
  first.maskedPaths = {"/proc/kcore"};
  Contribution second;
  second.namespaces = {{.type = "network", .path = "/b"}};
  second.rlimits = {{.type = "RLIMIT_CORE", .soft = 2, .hard = 2}, {.type = "RLIMIT_NOFILE", .soft = 3, .hard = 3}};
  second.resources.emplace().memory.emplace().limit = 4;
  second.resources->devices.push_back({.allow = true, .type = "c"});
  second.hostname = "other";
  second.readOnlyRootfs = true;
  Container from = container();
  from.request.rlimits = {{.type = "RLIMIT_NOFILE", .soft = 5, .hard = 6}};

  const oci::Spec spec = build(from, {first, second});
  EXPECT_EQ(spec.linux->namespaces, (std::vector<oci::Namespace>{{.type = "pid"}, {.type = "network", .path = "/b"}}));
  EXPECT_EQ(spec.process->rlimits, (std::vector<oci::Rlimit>{{.type = "RLIMIT_CORE", .soft = 2, .hard = 2},
                                                             {.type = "RLIMIT_NOFILE", .soft = 5, .hard = 6}}));
  EXPECT_EQ(spec.linux->resources->pidsLimit, 10);
  EXPECT_EQ(spec.linux->resources->memory->limit, 4);
  EXPECT_EQ(spec.linux->resources->devices.size(), 2U);
  EXPECT_EQ(spec.process->oomScoreAdj, 1);
  EXPECT_EQ(spec.linux->maskedPaths, Line{"/proc/kcore"});
  EXPECT_EQ(spec.hostname, "other");
  EXPECT_EQ(spec.root->path, "/run/rootfs");
  EXPECT_TRUE(spec.root->readonly);
  EXPECT_EQ(spec.linux->cgroupsPath, "/gantry/web");
}

Contribution twoCapabilities() {
  const Line names{"CAP_CHOWN", "CAP_KILL"};
  Contribution contribution;
  contribution.capabilities = {
      .bounding = names, .effective = names, .inheritable = {}, .permitted = names, .ambient = {}};
  return contribution;
}

TEST(BuildBundle, OnlyRootHasCapabilitiesWithoutAskingForThem) {
  Container from = container();
  const ResolvedUser someone{.user = {.uid = 1000}, .home = "/"};
  EXPECT_EQ(build(from, {twoCapabilities()}).process->capabilities->effective.size(), 2U);

  const oci::Capabilities kept = *build(from, {twoCapabilities()}, someone).process->capabilities;
  EXPECT_TRUE(kept.effective.empty());
  EXPECT_TRUE(kept.permitted.empty());
  EXPECT_EQ(kept.bounding.size(), 2U);

  from.request.security.effectiveCapabilities = Line{"CAP_CHOWN", "CAP_KILL"};
  EXPECT_EQ(build(from, {twoCapabilities()}, someone).process->capabilities->effective.size(), 2U);

  from.request.security.onlyRootHasCapabilities = true;
  EXPECT_EQ(build(from, {twoCapabilities()}, someone).process->capabilities, kept);
  EXPECT_EQ(build(from, {twoCapabilities()}).process->capabilities->effective.size(), 2U);
}

TEST(BuildBundle, TakesVeryManyVariablesInNoTime) {
  Container from = container();
  for (int i = 0; i < 200'000; ++i) from.request.command.environment["V" + std::to_string(i)] = "x";
  const auto begin = std::chrono::steady_clock::now();
  const auto environment = build(from, {twoCapabilities()}).process->env;
  EXPECT_GE(environment.size(), 200'000U);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

TEST(BuildBundle, RefusesStringsThatTheKernelWouldCut) {
  Container from = container();
  from.request.command.arguments = {"true", std::string("a\0b", 3)};
  const Result<oci::Spec> spec = buildBundle(from, {Contribution{.rootfs = "/r"}}, {}, kSandbox);
  ASSERT_FALSE(spec);
  EXPECT_EQ(spec.error().message(), "command.arguments: hold a NUL character");
}

SessionRequest session(Command command) {
  SessionRequest request(*ContainerId::parse("web.s1"));
  request.command = std::move(command);
  return request;
}

TEST(BuildSession, InheritsWhatItDoesNotSet) {
  Container from = container();
  from.request.command.environment = {{"A", "1"}};
  from.request.command.workingDirectory = "/srv";
  const oci::Spec bundle = build(from, {twoCapabilities()});
  const Result<oci::Process> process = buildSession(bundle, session(kValue), {});
  ASSERT_TRUE(process);
  EXPECT_EQ(process->args, Line{"/bin/x"});
  EXPECT_EQ(process->cwd, "/srv");
  EXPECT_EQ(process->env, bundle.process->env);
  EXPECT_EQ(process->capabilities, bundle.process->capabilities);
}

TEST(BuildSession, OverridesDirectoryEnvironmentTerminalAndUser) {
  const oci::Spec bundle = build(container(), {twoCapabilities()});
  SessionRequest request =
      session({.shell = false, .value = "sh", .environment = {{"PATH", "/x"}}, .workingDirectory = "/tmp"});
  request.terminal = true;
  request.terminalRows = 25;
  request.terminalColumns = 80;
  const ResolvedUser someone{.user = {.uid = 5, .gid = 6}, .home = "/home/five"};
  const Result<oci::Process> process = buildSession(bundle, request, someone);
  ASSERT_TRUE(process);
  EXPECT_EQ(process->cwd, "/tmp");
  EXPECT_EQ(process->env, (Line{"PATH=/x", "HOSTNAME=web", "HOME=/home/five", "TERM=xterm"}));
  EXPECT_EQ(process->user.uid, 5U);
  EXPECT_TRUE(process->terminal);
  EXPECT_EQ(process->consoleSize, (oci::ConsoleSize{.height = 25, .width = 80}));
  EXPECT_TRUE(process->capabilities->effective.empty());
}

TEST(BuildSession, RootInAnotherUsersContainerHasTheBoundingSet) {
  const ResolvedUser someone{.user = {.uid = 5}, .home = "/"};
  const oci::Spec bundle = build(container(), {twoCapabilities()}, someone);
  const Result<oci::Process> process = buildSession(bundle, session(kValue), ResolvedUser{.home = "/root"});
  ASSERT_TRUE(process);
  EXPECT_EQ(process->capabilities->effective, process->capabilities->bounding);
}

TEST(BuildSession, NeedsACommand) {
  const oci::Spec bundle = build(container());
  EXPECT_EQ(buildSession(bundle, session(kNothing), {}).error().code(), Code::InvalidArgument);
}

}  // namespace
}  // namespace gantry::agent
