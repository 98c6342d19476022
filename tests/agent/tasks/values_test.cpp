// What tasks are spelled as: in the database, in sandboxes' paths, in environments, and as the words of their ends.
#include <unistd.h>
#include <csignal>

#include <filesystem>

#include <gtest/gtest.h>

#include "agent/tasks/environment.hpp"
#include "agent/tasks/outcome.hpp"
#include "agent/tasks/sandbox.hpp"
#include "agent/tasks/task_json.hpp"
#include "agent/tasks/uuid.hpp"

namespace gantry::agent::tasks {
namespace {

using namespace std::chrono_literals;

const std::string kBytes("\0\xff\n\x80", 4);

TaskRequest fullRequest() {
  isolators::ContainerRequest container(*ContainerId::root("c1"));
  container.command.value = "true";
  container.image = "example.com/app:1";
  TaskRequest request(std::move(container));
  request.id = "web.1";
  request.framework = "F";
  request.executor = "web.1";
  request.name = "web";
  request.role = "prod";
  request.uris.push_back(
      {.value = "http://a/b.tgz", .executable = true, .extract = false, .cache = true, .outputFile = "b"});
  request.userIsOfHost = false;
  request.killGrace = 5s;
  request.maxCompletionTime = 1h;
  request.resources = {kBytes, "x"};
  request.info = kBytes;
  return request;
}

TEST(TaskJson, ARequestComesBackAsItWas) {
  const TaskRequest request = fullRequest();
  const auto text = toJson(request);
  ASSERT_TRUE(text);
  const auto again = parseTaskRequest(*text);
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(again->container, request.container);
  EXPECT_EQ(again->uris, request.uris);
  EXPECT_EQ(again->killGrace, request.killGrace);
  EXPECT_EQ(again->maxCompletionTime, request.maxCompletionTime);
  EXPECT_EQ(again->resources, request.resources);
  EXPECT_EQ(again->info, request.info);
  EXPECT_EQ(again->role, request.role);
  EXPECT_EQ(again->userIsOfHost, request.userIsOfHost);
  EXPECT_EQ(*toJson(*again), *text);
}

TEST(TaskJson, ARequestThatIsNoTextIsRefused) {
  TaskRequest request = fullRequest();
  request.name = "\xff";
  const auto text = toJson(request);
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code(), Code::InvalidArgument);
}

TEST(TaskJson, AStatusComesBackAsItWas) {
  TaskStatus status{.state = TaskState::Failed, .source = Source::Executor};
  status.reason = Reason::ContainerLimitationMemory;
  status.message = "too much";
  status.time = Clock::time_point(1234567890123456789ns);
  status.uuid = newUuid();
  status.healthy = false;
  status.containerId = "c1";
  status.pid = 77;
  status.networks = {
      {.network = "bridge",
       .interface = "eth0",
       .addresses = {"10.0.0.2"},
       .portMappings = {{.hostPort = 80, .containerPort = 8080, .protocol = isolators::PortMapping::Protocol::Udp}}}};
  status.limitation = {{"mem", 96.5}};
  const auto again = parseStatus(toJson(status));
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(again->state, status.state);
  EXPECT_EQ(again->source, status.source);
  EXPECT_EQ(again->reason, status.reason);
  EXPECT_EQ(again->time, status.time);
  EXPECT_EQ(again->uuid, status.uuid);
  EXPECT_EQ(again->healthy, status.healthy);
  EXPECT_EQ(again->networks.at(0).portMappings, status.networks[0].portMappings);
  EXPECT_EQ(again->networks.at(0).addresses, status.networks[0].addresses);
  EXPECT_EQ(again->limitation, status.limitation);
  EXPECT_EQ(toJson(*again), toJson(status));
}

TEST(TaskJson, AMessageThatIsNoTextStillCountsAsOne) {
  TaskStatus status;
  status.message = "cannot open '\xff'";
  EXPECT_TRUE(parseStatus(toJson(status)));
}

TEST(TaskJson, FrameworksProgressAndDrainsComeBackAsTheyWere) {
  const StoredFramework framework{.framework = {.id = "F",
                                                .name = "marathon",
                                                .user = "root",
                                                .principal = "p",
                                                .roles = {"a", "b"},
                                                .failoverTimeoutSeconds = 0.5,
                                                .checkpoint = true,
                                                .partitionAware = true,
                                                .taskKillingState = true,
                                                .pid = "scheduler@1.2.3.4:5",
                                                .info = kBytes},
                                  .ending = true};
  const auto again = parseFramework(toJson(framework));
  ASSERT_TRUE(again);
  EXPECT_EQ(toJson(*again), toJson(framework));
  EXPECT_EQ(again->framework.info, kBytes);
  EXPECT_TRUE(again->ending);

  const Progress progress{.ending = Ending::Expired, .killAt = Clock::time_point(5s), .sandbox = "/s"};
  EXPECT_EQ(*parseProgress(toJson(progress)), progress);
  EXPECT_EQ(*parseProgress("{}"), Progress());

  const auto drain = parseDrain(toJson(DrainConfig{.maxGracePeriod = 7s, .markGone = true, .config = kBytes}));
  ASSERT_TRUE(drain);
  EXPECT_EQ(drain->maxGracePeriod, 7s);
  EXPECT_TRUE(drain->markGone);
  EXPECT_EQ(drain->config, kBytes);
}

TEST(TaskJson, NamesWhatItCannotRead) {
  EXPECT_EQ(parseStatus("[]").error().message(), "record: must be an object");
  EXPECT_EQ(parseStatus("{").error().message(), "record: is not JSON");
  EXPECT_EQ(parseStatus(R"({"state":"TASK_TIRED","source":"agent"})").error().message(), "state: is unknown");
  EXPECT_EQ(parseFramework(R"({"roles":1})").error().message(), "roles: has another type");
  EXPECT_EQ(parseTaskRequest("{}").error().message(), "container: is missing");
}

TEST(Outcome, SpeaksAsMesosExecutorDoes) {
  EXPECT_EQ(describeEnd(0), "Command exited with status 0");
  EXPECT_EQ(describeEnd(3 << 8), "Command exited with status 3");
  EXPECT_EQ(describeEnd(SIGTERM), "Command terminated with signal Terminated");
  EXPECT_EQ(describeEnd(SIGKILL), "Command terminated with signal Killed");
  EXPECT_EQ(describeEnd(SIGSEGV | 0x80), "Command terminated with signal Segmentation fault (core dumped)");
}

TEST(Outcome, TheEndOfATaskDependsOnWhyItEnded) {
  const Termination exited{.waitStatus = 0};
  EXPECT_EQ(endStatus(exited, Ending::None, {}).state, TaskState::Finished);
  EXPECT_EQ(endStatus({.waitStatus = SIGKILL}, Ending::None, {}).state, TaskState::Failed);
  EXPECT_EQ(endStatus(exited, Ending::Killed, {}).state, TaskState::Killed);
  EXPECT_EQ(endStatus(exited, Ending::Expired, {}).reason, Reason::MaxCompletionTimeReached);
}

TEST(Outcome, WhatTheAgentFoundIsTheAgentsWord) {
  const Termination unknown{.reason = "REASON_AGENT_RESTARTED", .message = "the host was rebooted"};
  const TaskStatus status = endStatus(unknown, Ending::None, {});
  EXPECT_EQ(status.state, TaskState::Failed);
  EXPECT_EQ(status.source, Source::Agent);
  EXPECT_EQ(status.reason, Reason::ExecutorTerminated);
  EXPECT_EQ(status.message, "the host was rebooted");
}

TEST(Outcome, OldFrameworksHearOfLostTasks) {
  const Framework old;
  const Framework aware{.partitionAware = true};
  for (const TaskState state : {TaskState::Dropped, TaskState::Gone, TaskState::GoneByOperator}) {
    EXPECT_EQ(stateFor(old, state), TaskState::Lost);
    EXPECT_EQ(stateFor(aware, state), state);
  }
  EXPECT_EQ(stateFor(old, TaskState::Failed), TaskState::Failed);
}

TEST(SandboxPath, TakesOnlyNamesOfDirectories) {
  const SandboxPlace good{.workDirectory = "/w", .agent = "S0", .framework = "F", .executor = "a b", .container = "c"};
  EXPECT_EQ(*sandboxPath(good), "/w/slaves/S0/frameworks/F/executors/a b/runs/c");
  for (const std::string bad : {"", ".", "..", "a/b", "../x"}) {
    SandboxPlace place = good;
    place.executor = bad;
    EXPECT_FALSE(sandboxPath(place)) << bad;
  }
  SandboxPlace place = good;
  place.framework = std::string(256, 'x');
  EXPECT_EQ(sandboxPath(place).error().message(), "framework_id: is longer than 255 bytes");
}

TEST(SandboxPath, LatestIsTheNewestRun) {
  std::string directory = testing::TempDir() + "gantry-sandbox-XXXXXX";
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  const fetcher::UriUser me{.uid = ::getuid(), .gid = ::getgid()};
  ASSERT_TRUE(makeSandbox(directory + "/runs/one", me));
  ASSERT_TRUE(makeSandbox(directory + "/runs/two", me));
  ASSERT_TRUE(makeSandbox(directory + "/runs/two", me)) << "a second time is fine";
  EXPECT_EQ(std::filesystem::read_symlink(directory + "/runs/latest"), "two");
  std::filesystem::remove_all(directory);
}

TEST(Environment, PrintsDurationsAsMesosDoes) {
  EXPECT_EQ(mesosDuration(5s), "5secs");
  EXPECT_EQ(mesosDuration(15min), "15mins");
  EXPECT_EQ(mesosDuration(90s), "1.5mins");
  EXPECT_EQ(mesosDuration(2ms), "2ms");
  EXPECT_EQ(mesosDuration(24h * 14), "2weeks");
}

TEST(Environment, HasWhatMesosPromisesAndWhatTheTaskAsksFor) {
  TaskSettings settings;
  settings.ip = "10.0.0.1";
  settings.port = 5051;
  settings.environment = {{"SITE", "north"}, {"WHO", "operator"}};
  TaskRequest request = fullRequest();
  request.container.command.environment = {{"WHO", "task"}};
  const Framework framework{.id = "F", .checkpoint = true};
  const auto environment = taskEnvironment(settings, "S0", framework, request, "/box");
  EXPECT_EQ(environment.at("SITE"), "north");
  EXPECT_EQ(environment.at("WHO"), "task");
  EXPECT_EQ(environment.at("MESOS_FRAMEWORK_ID"), "F");
  EXPECT_EQ(environment.at("MESOS_EXECUTOR_ID"), "web.1");
  EXPECT_EQ(environment.at("MESOS_DIRECTORY"), "/box");
  EXPECT_EQ(environment.at("MESOS_SLAVE_PID"), "slave(1)@10.0.0.1:5051");
  EXPECT_EQ(environment.at("MESOS_AGENT_ENDPOINT"), "10.0.0.1:5051");
  EXPECT_EQ(environment.at("MESOS_CHECKPOINT"), "1");
  EXPECT_EQ(environment.at("MESOS_RECOVERY_TIMEOUT"), "15mins");
  EXPECT_EQ(environment.at("MESOS_ALLOCATION_ROLE"), "prod");
  EXPECT_EQ(environment.at("LIBPROCESS_IP"), "10.0.0.1");

  request.container.networks = {{.name = "bridge"}};
  EXPECT_FALSE(taskEnvironment(settings, "S0", {.id = "F"}, request, "/box").contains("LIBPROCESS_IP"));
  EXPECT_FALSE(taskEnvironment(settings, "S0", {.id = "F"}, request, "/box").contains("MESOS_RECOVERY_TIMEOUT"));
}

TEST(Uuid, IsRandomAndOfVersionFour) {
  const std::string uuid = newUuid();
  ASSERT_EQ(uuid.size(), 16U);
  EXPECT_EQ(static_cast<unsigned char>(uuid[6]) >> 4, 4);
  EXPECT_EQ(static_cast<unsigned char>(uuid[8]) >> 6, 2);
  EXPECT_NE(uuid, newUuid());
}

}  // namespace
}  // namespace gantry::agent::tasks
