#include "agent/wire/master_messages.hpp"

#include <agent/wire/mesos_internal.pb.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <cmath>

#include "agent/wire/agent_messages.hpp"
#include "agent/wire/encoding.hpp"
#include "agent/wire/master_info.hpp"
#include "base/base64.hpp"
#include "recorded.hpp"

namespace gantry::agent::wire {
namespace {

using namespace std::chrono_literals;
namespace internal = mesos::internal;

std::string bytes(std::string_view base64) {
  auto result = fromBase64(base64);
  EXPECT_TRUE(result);
  return *result;
}

template <typename Message>
Message read(std::string_view body) {
  Message message;
  const auto result = decode(body, Media::Protobuf, message);
  EXPECT_TRUE(result) << (result ? "" : result.error().message());
  return message;
}

// Field by field, so that a difference is named.
template <typename Message>
void expectSame(std::string_view ours, std::string_view recordedBase64) {
  google::protobuf::util::MessageDifferencer differencer;
  std::string difference;
  differencer.ReportDifferencesToString(&difference);
  EXPECT_TRUE(differencer.Compare(read<Message>(bytes(recordedBase64)), read<Message>(ours))) << difference;
}

template <typename Value>
Value valueOf(Result<Value> result) {
  EXPECT_TRUE(result) << (result ? "" : result.error().message());
  return *std::move(result);
}

tasks::TaskStatus statusFrom(const mesos::v1::TaskStatus& message) {
  tasks::TaskStatus status;
  status.state = static_cast<tasks::TaskState>(message.state());
  status.source = static_cast<tasks::Source>(message.source());
  if (message.has_reason()) status.reason = static_cast<tasks::Reason>(message.reason());
  status.message = message.message();
  status.time = tasks::Clock::time_point(
      std::chrono::duration_cast<tasks::Clock::duration>(std::chrono::duration<double>(message.timestamp())));
  status.uuid = message.uuid();
  status.containerId = message.container_status().container_id().value();
  status.pid = static_cast<pid_t>(message.container_status().executor_pid());
  for (const auto& resource : message.limitation().resources()) {
    status.limitation.push_back({resource.name(), resource.scalar().value()});
  }
  return status;
}

tasks::StatusUpdate updateFrom(const internal::StatusUpdate& message) {
  return {message.framework_id().value(), message.status().task_id().value(), message.executor_id().value(),
          statusFrom(message.status()), static_cast<tasks::TaskState>(message.latest_state())};
}

// A time of day in doubles loses less than a microsecond; the rest must be the same to the byte.
template <typename Status>
void clearRounding(Status& status) {
  status.set_timestamp(std::round(status.timestamp() * 1e3));
}

TEST(AgentMessages, AreTheStatusUpdatesOfAnAgentOfMesos) {
  for (const auto recorded : {recorded::kStarting, recorded::kRunning, recorded::kFinished}) {
    auto theirs = read<internal::StatusUpdateMessage>(bytes(recorded));
    const AgentIdentity agent{theirs.update().slave_id().value(), theirs.pid(), "127.0.0.1"};
    auto ours = read<internal::StatusUpdateMessage>(encodeStatusUpdate(updateFrom(theirs.update()), agent));
    clearRounding(*ours.mutable_update());
    clearRounding(*theirs.mutable_update());
    clearRounding(*ours.mutable_update()->mutable_status());
    clearRounding(*theirs.mutable_update()->mutable_status());
    EXPECT_EQ(ours.DebugString(), theirs.DebugString());
  }
}

TEST(AgentMessages, SayWhatWasNotEnough) {
  auto theirs = read<internal::StatusUpdateMessage>(bytes(recorded::kDiskLimit));
  const AgentIdentity agent{theirs.update().slave_id().value(), theirs.pid(), "127.0.0.1"};
  const auto ours = read<internal::StatusUpdateMessage>(encodeStatusUpdate(updateFrom(theirs.update()), agent));
  const auto& limited = ours.update().status().limitation();
  ASSERT_EQ(limited.resources_size(), 1);
  EXPECT_EQ(limited.resources(0).name(), "disk");
  EXPECT_EQ(limited.resources(0).scalar().value(), 10);
  EXPECT_FALSE(ours.update().status().has_container_status()) << "there is no container any more";
}

TEST(AgentMessages, RegisterAsAnAgentOfMesosDoes) {
  const auto theirs = read<internal::RegisterSlaveMessage>(bytes(recorded::kRegister));
  Registration registration;
  auto agent = theirs.slave();
  agent.mutable_id()->set_value("left out");
  registration.agent = encode(agent, Media::Protobuf);
  registration.version = "1.12.0";
  for (int i = 1; i <= 8; ++i) registration.capabilities.push_back(static_cast<AgentCapability>(i));
  registration.resourceVersion = theirs.resource_version_uuid().value();
  expectSame<internal::RegisterSlaveMessage>(encodeRegister(registration), recorded::kRegister);
  EXPECT_EQ(toString(AgentCapability::AgentDraining), "AGENT_DRAINING");
}

TEST(AgentMessages, ReregisterAsAnAgentOfMesosDoes) {
  auto theirs = read<internal::ReregisterSlaveMessage>(bytes(recorded::kReregister));
  Registration registration;
  registration.agent = encode(theirs.slave(), Media::Protobuf);
  registration.version = "1.12.0";
  for (int i = 1; i <= 8; ++i) registration.capabilities.push_back(static_cast<AgentCapability>(i));
  registration.resourceVersion = theirs.resource_version_uuid().value();
  for (const auto& resource : theirs.checkpointed_resources()) {
    registration.checkpointedResources.push_back(encode(resource, Media::Protobuf));
  }
  // Two of the tasks were in a pod, with an executor that is not the agent's own.
  theirs.mutable_tasks()->DeleteSubrange(1, 2);
  theirs.clear_executor_infos();

  tasks::FrameworkTasks framework;
  framework.framework.id = theirs.frameworks(0).id().value();
  framework.framework.info = encode(theirs.frameworks(0), Media::Protobuf);
  for (const auto& message : theirs.tasks()) {
    tasks::Task task;
    task.id = message.task_id().value();
    task.framework = message.framework_id().value();
    task.executor = task.id;
    task.name = message.name();
    task.state = static_cast<tasks::TaskState>(message.state());
    for (const auto& status : message.statuses()) task.statuses.push_back(statusFrom(status));
    mesos::v1::TaskInfo info;
    info.set_name(message.name());
    *info.mutable_task_id() = message.task_id();
    *info.mutable_agent_id() = message.agent_id();
    *info.mutable_resources() = message.resources();
    for (auto& resource : *info.mutable_resources()) resource.clear_role();
    task.info = encode(info, Media::Protobuf);
    framework.active.push_back(std::move(task));
  }
  tasks::Snapshot snapshot;
  snapshot.frameworks.push_back(std::move(framework));

  const AgentIdentity agent{theirs.slave().id().value(), "slave(1)@127.0.0.1:5051", "127.0.0.1"};
  auto ours = read<internal::ReregisterSlaveMessage>(encodeReregister(registration, snapshot, agent));
  for (auto* message : {&ours, &theirs}) {
    for (auto& task : *message->mutable_tasks()) {
      for (auto& status : *task.mutable_statuses()) clearRounding(status);
    }
  }
  EXPECT_EQ(ours.DebugString(), theirs.DebugString());
}

// Of a task or a framework whose message cannot be read there is still what is known without it.
TEST(AgentMessages, TellOfTasksThatOnlyTheirNamesAreKnownOf) {
  mesos::v1::AgentInfo info;
  info.set_hostname("h");
  Registration registration;
  registration.agent = encode(info, Media::Protobuf);
  mesos::v1::TaskInfo broken;
  broken.mutable_container();  // without its type
  tasks::FrameworkTasks framework;
  framework.framework.id = "F";
  framework.framework.info = "\x0a";
  framework.active.emplace_back();
  framework.active.back().id = "a";
  framework.active.back().framework = "F";
  framework.active.back().info = broken.SerializePartialAsString();
  tasks::Snapshot snapshot;
  snapshot.frameworks.push_back(std::move(framework));
  const auto told = read<internal::ReregisterSlaveMessage>(encodeReregister(registration, snapshot, {"S0", "p", "i"}));
  EXPECT_EQ(told.tasks(0).task_id().value(), "a");
  EXPECT_FALSE(told.tasks(0).has_container());
  EXPECT_EQ(told.frameworks(0).id().value(), "F");
}

TEST(AgentMessages, AreTheSmallOnesOfAnAgentOfMesos) {
  const auto update = read<internal::UpdateSlaveMessage>(bytes(recorded::kUpdateAgent));
  const std::string id = update.slave_id().value();
  expectSame<internal::UpdateSlaveMessage>(encodeUpdateSlave(id, update.resource_version_uuid().value()),
                                           recorded::kUpdateAgent);
  expectSame<internal::UnregisterSlaveMessage>(
      encodeUnregister(read<internal::UnregisterSlaveMessage>(bytes(recorded::kUnregister)).slave_id().value()),
      recorded::kUnregister);
  EXPECT_EQ(encodePong(), "");
  const auto exited = read<internal::ExitedExecutorMessage>(bytes(recorded::kExitedExecutor));
  expectSame<internal::ExitedExecutorMessage>(
      encodeExitedExecutor(exited.slave_id().value(), exited.framework_id().value(), "pyex", 2304),
      recorded::kExitedExecutor);
}

TEST(AgentMessages, AuthenticateAsAnAgentOfMesosDoes) {
  expectSame<internal::AuthenticateMessage>(encodeAuthenticate("slave(1)@127.0.0.1:5051"), recorded::kAuthenticate);
  expectSame<internal::AuthenticationStartMessage>(encodeAuthenticationStart("CRAM-MD5"),
                                                   recorded::kAuthenticationStart);
  const auto answer = read<internal::AuthenticationStepMessage>(bytes(recorded::kAnswer)).data();
  expectSame<internal::AuthenticationStepMessage>(encodeAuthenticationStep(answer), recorded::kAnswer);
  EXPECT_EQ(valueOf(parseAuthenticationMechanisms(bytes(recorded::kMechanisms))), std::vector<std::string>{"CRAM-MD5"});
  EXPECT_TRUE(valueOf(parseAuthenticationStep(bytes(recorded::kChallenge))).starts_with("<"));
}

TEST(MasterMessages, TellOfRegistrations) {
  const Registered registered = valueOf(parseRegistered(bytes(recorded::kRegistered)));
  EXPECT_TRUE(registered.agentId.ends_with("-S0"));
  EXPECT_EQ(registered.pingTimeout, 75s);
  const Reregistered again = valueOf(parseReregistered(bytes(recorded::kReregistered)));
  EXPECT_EQ(again.agentId, "77d5c392-5054-4965-9a5b-2ac6c8069acb-S0");
  EXPECT_EQ(again.pingTimeout, 75s);
  EXPECT_TRUE(again.reconciliations.empty());
  EXPECT_TRUE(valueOf(parsePing(bytes(recorded::kPing))).connected);
  EXPECT_EQ(valueOf(parseShutdown(bytes(recorded::kShutdown))).message, "Agent has been marked gone");
}

TEST(MasterMessages, AskForReconciliation) {
  internal::SlaveReregisteredMessage message;
  message.mutable_slave_id()->set_value("S0");
  auto& entry = *message.add_reconciliations();
  entry.mutable_framework_id()->set_value("F");
  for (const char* id : {"a", "b"}) {
    auto& status = *entry.add_statuses();
    status.mutable_task_id()->set_value(id);
    status.set_state(mesos::v1::TASK_RUNNING);
  }
  const Reregistered told = valueOf(parseReregistered(encode(message, Media::Protobuf)));
  ASSERT_EQ(told.reconciliations.size(), 1U);
  EXPECT_EQ(told.reconciliations[0].framework.id, "F");
  EXPECT_FALSE(told.reconciliations[0].framework.partitionAware);
  EXPECT_EQ(told.reconciliations[0].tasks, (std::vector<std::string>{"a", "b"}));
}

TEST(MasterMessages, AskForTasks) {
  const RunTask run = valueOf(parseRunTask(bytes(recorded::kRunTask), {}));
  EXPECT_EQ(run.taskId, "ok");
  EXPECT_TRUE(run.agentId.ends_with("-S0"));
  EXPECT_EQ(run.executorId, "");
  EXPECT_TRUE(run.launchExecutor);
  ASSERT_EQ(run.versions.size(), 1U);
  EXPECT_EQ(run.versions[0].provider, "");
  EXPECT_EQ(run.versions[0].uuid.size(), 16U);
  EXPECT_EQ(run.framework.name, "rec");
  EXPECT_EQ(run.framework.roles, std::vector<std::string>{"*"});
  EXPECT_TRUE(run.framework.checkpoint);
  EXPECT_TRUE(run.framework.partitionAware);
  EXPECT_TRUE(run.framework.taskKillingState);
  EXPECT_EQ(run.framework.pid, "");
  ASSERT_TRUE(run.request) << run.request.error().message();
}

TEST(MasterMessages, AskForPods) {
  const RunTaskGroup group = valueOf(parseRunTaskGroup(bytes(recorded::kRunTaskGroup)));
  EXPECT_FALSE(group.taskIds.empty());
  EXPECT_FALSE(group.executorId.empty());
  EXPECT_TRUE(group.launchExecutor);
}

TEST(MasterMessages, EndThings) {
  const KillTask kill = valueOf(parseKillTask(bytes(recorded::kKillTask)));
  EXPECT_EQ(kill.task, "k1");
  EXPECT_TRUE(kill.framework.ends_with("-0000"));
  EXPECT_FALSE(kill.grace);
  EXPECT_TRUE(valueOf(parseShutdownFramework(bytes(recorded::kShutdownFramework))).ends_with("-0000"));
  const tasks::DrainConfig drain = valueOf(parseDrain(bytes(recorded::kDrain)));
  EXPECT_EQ(drain.maxGracePeriod, 5s);
  EXPECT_FALSE(drain.markGone);
  const Acknowledgement acknowledgement = valueOf(parseAcknowledgement(bytes(recorded::kAcknowledgement)));
  EXPECT_EQ(acknowledgement.task, "ok");
  EXPECT_EQ(acknowledgement.uuid.size(), 16U);
}

TEST(MasterMessages, TellOfFrameworks) {
  const UpdateFramework update = valueOf(parseUpdateFramework(bytes(recorded::kUpdateFramework)));
  EXPECT_EQ(update.pid, "");
  ASSERT_TRUE(update.framework);
  EXPECT_EQ(update.framework->id, update.id);
  EXPECT_EQ(update.framework->failoverTimeoutSeconds, 600);
}

// What a master writes into ZooKeeper.
TEST(MasterMessages, TellOfTheMaster) {
  const Master master = valueOf(parseMaster(
      R"({"address":{"hostname":"m","ip":"10.0.0.7","port":5050},"capabilities":[{"type":"AGENT_UPDATE"},{"type":"NEW"}],
          "hostname":"m","id":"i","ip":117440522,"pid":"master@10.0.0.7:5050","port":5050,"version":"1.11.0"})",
      Media::Json));
  EXPECT_EQ(master.pid, "master@10.0.0.7:5050");
  EXPECT_TRUE(master.updatesAgents);
  EXPECT_FALSE(master.drainsAgents);
  EXPECT_EQ(valueOf(parseMaster(R"({"id":"i","ip":117440522,"port":5051})", Media::Json)).pid, "master@10.0.0.7:5051");
}

// Cut short, with bytes changed, or something else altogether: an error or another message, and never worse.
TEST(MasterMessages, SurviveDamage) {
  for (const auto recorded : {recorded::kRunTask, recorded::kRunImageTask, recorded::kRunTaskGroup,
                              recorded::kUpdateFramework, recorded::kReregistered, recorded::kDrain}) {
    const std::string whole = bytes(recorded);
    const auto tryAll = [](const std::string& body) {
      (void)parseRunTask(body, {}).has_value();
      (void)parseRunTaskGroup(body).has_value();
      (void)parseUpdateFramework(body).has_value();
      (void)parseReregistered(body).has_value();
      (void)parseDrain(body).has_value();
      (void)parseKillTask(body).has_value();
      (void)parseAcknowledgement(body).has_value();
      (void)parseCheckpointResources(body).has_value();
    };
    for (std::size_t length = 0; length < whole.size(); ++length) tryAll(whole.substr(0, length));
    unsigned seed = 1;
    for (int round = 0; round < 500; ++round) {
      std::string damaged = whole;
      for (int i = 0; i < 3; ++i) {
        seed = seed * 1664525 + 1013904223;
        damaged[(seed >> 8) % damaged.size()] = static_cast<char>(seed >> 24);
      }
      tryAll(damaged);
    }
  }
}

TEST(MasterMessages, NameWhatIsMissing) {
  const auto empty = parseKillTask("");
  ASSERT_FALSE(empty);
  EXPECT_EQ(empty.error().code(), Code::InvalidArgument);
  EXPECT_EQ(empty.error().message(), "framework_id: is required");
  const auto other = parseRunTask("not protobuf", {});
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().message(), "body: is not a protobuf message of type mesos.internal.RunTaskMessage");
}

}  // namespace
}  // namespace gantry::agent::wire
