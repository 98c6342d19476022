#include "agent/master/link.hpp"

#include <unistd.h>
#include <filesystem>

#include <gtest/gtest.h>

#include "agent/state/database.hpp"
#include "agent/wire/mesos_internal.pb.h"
#include "tests/fakes/libprocess.hpp"
#include "tests/fakes/tasks.hpp"

namespace gantry::agent::master {
namespace {

using namespace std::chrono_literals;
using fakes::LibprocessProgram;

constexpr auto kAgent = "11111111-S0";
constexpr auto kFramework = "22222222-0000";

// One leader, until the test says otherwise.
class OneLeader : public Detector {
 public:
  explicit OneLeader(Master leader) : leader_(std::move(leader)) {}
  async::Task<Result<std::optional<Master>>> detect(std::optional<Master> previous) override {
    return answer(leader_, std::move(previous));
  }

 private:
  static async::Task<Result<std::optional<Master>>> answer(Master leader, std::optional<Master> previous) {
    if (previous) {
      co_await async::never();
      co_return Error(Code::Cancelled, "cancelled");
    }
    co_return std::optional<Master>(std::move(leader));
  }

  Master leader_;
};

mesos::v1::AgentInfo agentInfo() {
  mesos::v1::AgentInfo info;
  info.set_hostname("agent.example");
  info.set_port(5051);
  auto& cpus = *info.add_resources();
  cpus.set_name("cpus");
  cpus.set_type(mesos::v1::Value::SCALAR);
  cpus.mutable_scalar()->set_value(8);
  return info;
}

class LinkTest : public testing::Test {
 protected:
  LinkTest() : program_(loop_.get_executor()), master_(loop_.get_executor()) {
    std::string directory = testing::TempDir() + "gantry-link-XXXXXX";
    EXPECT_NE(::mkdtemp(directory.data()), nullptr);
    directory_ = directory;
    master_.messenger().add("master", [this](const Upid& from, const std::string& name, const std::string& body) {
      EXPECT_EQ(from, program_.messenger().own("slave(1)"));
      mail_.emplace_back(name.substr(std::string_view("mesos.internal.").size()), body);
    });
    master_.messenger().add("slave-observer(1)", [this](const Upid&, const std::string& name, const std::string&) {
      mail_.emplace_back("observed " + name, "");
    });
    leader_.pid = master_.messenger().own("master");
    leader_.hostname = "master.example";
    open();
  }
  ~LinkTest() override {
    stopAgent();
    async::runUntilDone(loop_, program_.stop());
    async::runUntilDone(loop_, master_.stop());
    store_.reset();
    std::filesystem::remove_all(directory_);
  }

  // A new agent on the same database.
  void open(const mesos::v1::AgentInfo& info = agentInfo()) {
    store_.reset();
    auto opened = state::Database::open(directory_ + "/state.db");
    ASSERT_TRUE(opened) << opened.error().message();
    auto record = readAgentRecord(opened->contents.facts);
    ASSERT_TRUE(record) << record.error().message();
    store_ = std::make_unique<state::Store>(std::move(opened->database), opened->contents.savedStates,
                                            loop_.get_executor(), pool_);
    detector_ = std::make_unique<OneLeader>(leader_);
    LinkSettings settings;
    settings.registration.backoff = 2ms;
    settings.registration.longestBackoff = 20ms;
    settings.registration.pingTimeout = 10s;
    settings.registration.random = [] { return 0.5; };
    const LinkParts parts{loop_.get_executor(), program_.messenger(), *detector_, tasks_, *store_};
    link_ = std::make_unique<MasterLink>(parts, settings, *record, info.SerializeAsString());
  }
  void start() {
    ended_.reset();
    scope_ = std::make_unique<async::Scope>(loop_.get_executor());
    scope_->spawn(runLink(this));
  }
  // On the loop: cancelling what is about to end anyway is not safe from outside it.
  static async::Task<> endAll(async::Scope* scope) {
    scope->cancel();
    co_await scope->join();
  }
  static async::Task<> runLink(LinkTest* test) { test->ended_ = co_await test->link_->run(); }
  void stopAgent() {
    if (scope_ != nullptr) {
      async::runUntilDone(loop_, endAll(scope_.get()));
    }
    scope_.reset();
    link_.reset();
  }

  void pass(async::Duration time) { ignore(async::runUntilDone(loop_, async::sleep(time)), "nothing cancels it"); }
  template <typename Condition>
  bool eventually(Condition condition) {
    for (int i = 0; i < 1000 && !condition(); ++i) pass(2ms);
    return condition();
  }
  // The first message of that name to come, taken out.
  template <typename Message>
  Message expectMail(const std::string& name) {
    Message message;
    const auto find = [&] {
      return std::find_if(mail_.begin(), mail_.end(), [&](const auto& one) { return one.first == name; });
    };
    EXPECT_TRUE(eventually([&] { return find() != mail_.end(); })) << name;
    if (find() == mail_.end()) return message;
    EXPECT_TRUE(message.ParseFromString(find()->second)) << name;
    mail_.erase(find());
    return message;
  }
  bool isTold(const std::string& line) {
    return eventually([&] { return std::find(tasks_.told.begin(), tasks_.told.end(), line) != tasks_.told.end(); });
  }
  void say(const std::string& name, const google::protobuf::MessageLite& message, const std::string& from = "master") {
    master_.messenger().send(from, program_.messenger().own("slave(1)"), "mesos.internal." + name,
                             message.SerializePartialAsString());
  }
  void sayRegistered(const std::string& id = kAgent) {
    mesos::internal::SlaveRegisteredMessage message;
    message.mutable_slave_id()->set_value(id);
    message.mutable_connection()->set_total_ping_timeout_seconds(75);
    say("SlaveRegisteredMessage", message);
  }
  void becomeRegistered() {
    start();
    expectMail<mesos::internal::RegisterSlaveMessage>("RegisterSlaveMessage");
    sayRegistered();
    ASSERT_TRUE(isTold("connected"));
    mail_.clear();
    tasks_.told.clear();
  }
  mesos::internal::RunTaskMessage runTask(const std::string& task) {
    mesos::internal::RunTaskMessage message;
    auto* framework = message.mutable_framework();
    framework->set_user("root");
    framework->set_name("test");
    framework->mutable_id()->set_value(kFramework);
    auto* info = message.mutable_task();
    info->set_name(task);
    info->mutable_task_id()->set_value(task);
    info->mutable_agent_id()->set_value(kAgent);
    info->mutable_command()->set_value("sleep 1");
    auto* cpus = info->add_resources();
    cpus->set_name("cpus");
    cpus->set_type(mesos::v1::Value::SCALAR);
    cpus->mutable_scalar()->set_value(0.1);
    message.set_launch_executor(true);
    return message;
  }

  std::string directory_;
  async::Loop loop_;
  async::WorkerPool pool_;
  std::unique_ptr<async::Scope> scope_;
  LibprocessProgram program_;
  LibprocessProgram master_;
  Master leader_;
  fakes::FakeTasks tasks_;
  std::unique_ptr<state::Store> store_;
  std::unique_ptr<OneLeader> detector_;
  std::unique_ptr<MasterLink> link_;
  std::vector<std::pair<std::string, std::string>> mail_;
  std::optional<Result<void>> ended_;
};

TEST_F(LinkTest, RegistersAndTellsTheTasks) {
  start();
  const auto asked = expectMail<mesos::internal::RegisterSlaveMessage>("RegisterSlaveMessage");
  EXPECT_EQ(asked.slave().hostname(), "agent.example");
  EXPECT_FALSE(asked.slave().has_id());
  EXPECT_EQ(asked.agent_capabilities_size(), 5);
  EXPECT_FALSE(link_->facts().registered);
  sayRegistered();
  ASSERT_TRUE(isTold("connected"));
  EXPECT_EQ(tasks_.told, (std::vector<std::string>{std::string("registered ") + kAgent, "connected"}));
  const LinkFacts facts = link_->facts();
  EXPECT_TRUE(facts.registered);
  EXPECT_EQ(facts.id, kAgent);
  EXPECT_EQ(facts.masterHostname, "master.example");
  EXPECT_EQ(facts.capabilities.front(), "MULTI_ROLE");
}

TEST_F(LinkTest, RegistersAgainAfterARestart) {
  becomeRegistered();
  pass(50ms);
  stopAgent();
  mail_.clear();
  open();
  tasks_.told.clear();
  start();
  const auto asked = expectMail<mesos::internal::ReregisterSlaveMessage>("ReregisterSlaveMessage");
  EXPECT_EQ(asked.slave().id().value(), kAgent);
  EXPECT_EQ(tasks_.told.front(), std::string("registered ") + kAgent);
  mesos::internal::SlaveReregisteredMessage answer;
  answer.mutable_slave_id()->set_value(kAgent);
  auto* reconciliation = answer.add_reconciliations();
  reconciliation->mutable_framework_id()->set_value(kFramework);
  auto* status = reconciliation->add_statuses();
  status->mutable_task_id()->set_value("lost-1");
  status->set_state(mesos::v1::TASK_RUNNING);
  say("SlaveReregisteredMessage", answer);
  EXPECT_TRUE(isTold("connected"));
  EXPECT_TRUE(isTold(std::string("reconcile ") + kFramework + " lost-1"));
}

TEST_F(LinkTest, AnswersPingsEvenWhileRecovering) {
  mesos::internal::PingSlaveMessage ping;
  ping.set_connected(true);
  say("PingSlaveMessage", ping, "slave-observer(1)");
  EXPECT_TRUE(eventually([&] { return !mail_.empty(); }));
  EXPECT_EQ(mail_.front().first, "observed mesos.internal.PongSlaveMessage");
}

TEST_F(LinkTest, RegistersAgainWhenPingedAsDisconnected) {
  becomeRegistered();
  mesos::internal::PingSlaveMessage ping;
  ping.set_connected(false);
  say("PingSlaveMessage", ping, "slave-observer(1)");
  expectMail<mesos::internal::ReregisterSlaveMessage>("ReregisterSlaveMessage");
  EXPECT_TRUE(isTold("disconnected"));
}

TEST_F(LinkTest, CaresForNobodyElsesPings) {
  becomeRegistered();
  LibprocessProgram stranger(loop_.get_executor());
  bool ponged = false;
  stranger.messenger().add("x", [&](const Upid&, const std::string&, const std::string&) { ponged = true; });
  mesos::internal::PingSlaveMessage ping;
  ping.set_connected(false);
  stranger.messenger().send("x", program_.messenger().own("slave(1)"), "mesos.internal.PingSlaveMessage",
                            ping.SerializeAsString());
  EXPECT_TRUE(eventually([&] { return ponged; }));
  pass(50ms);
  EXPECT_TRUE(link_->facts().registered);
  async::runUntilDone(loop_, stranger.stop());
}

TEST_F(LinkTest, RunsAndKillsTasks) {
  becomeRegistered();
  say("RunTaskMessage", runTask("one"));
  EXPECT_TRUE(isTold(std::string("run ") + kFramework + " one"));
  mesos::internal::KillTaskMessage kill;
  kill.mutable_framework_id()->set_value(kFramework);
  kill.mutable_task_id()->set_value("one");
  kill.mutable_kill_policy()->mutable_grace_period()->set_nanoseconds(7);
  say("KillTaskMessage", kill);
  EXPECT_TRUE(isTold(std::string("kill ") + kFramework + " one 7"));
}

TEST_F(LinkTest, RefusesATaskThatIsWrong) {
  becomeRegistered();
  auto message = runTask("bad");
  message.mutable_task()->mutable_command()->set_user("../etc");
  message.mutable_task()->clear_command();
  say("RunTaskMessage", message);
  EXPECT_TRUE(eventually([&] { return !tasks_.told.empty(); }));
  EXPECT_TRUE(tasks_.told.front().starts_with(std::string("refuse ") + kFramework + " bad TASK_")) << tasks_.told[0];
}

TEST_F(LinkTest, RefusesATaskThatWantsMoreThanThereIs) {
  becomeRegistered();
  auto message = runTask("big");
  message.mutable_task()->mutable_resources(0)->mutable_scalar()->set_value(100000);
  say("RunTaskMessage", message);
  EXPECT_TRUE(eventually([&] { return !tasks_.told.empty(); }));
  EXPECT_TRUE(tasks_.told.front().starts_with(std::string("refuse ") + kFramework + " big TASK_")) << tasks_.told[0];
}

TEST_F(LinkTest, TellsOfAnExecutorThatIsNotLaunched) {
  becomeRegistered();
  auto message = runTask("custom");
  message.mutable_task()->clear_command();
  auto* executor = message.mutable_task()->mutable_executor();
  executor->mutable_executor_id()->set_value("e1");
  executor->mutable_framework_id()->set_value(kFramework);
  executor->mutable_command()->set_value("./executor");
  say("RunTaskMessage", message);
  const auto exited = expectMail<mesos::internal::ExitedExecutorMessage>("ExitedExecutorMessage");
  EXPECT_EQ(exited.executor_id().value(), "e1");
  EXPECT_EQ(exited.status(), -1);
  EXPECT_EQ(exited.slave_id().value(), kAgent);
  EXPECT_TRUE(eventually([&] { return !tasks_.told.empty(); }));
}

TEST_F(LinkTest, DropsTasksOfAnotherAgent) {
  becomeRegistered();
  auto message = runTask("elsewhere");
  message.mutable_task()->mutable_agent_id()->set_value("other-S1");
  say("RunTaskMessage", message);
  pass(50ms);
  EXPECT_TRUE(tasks_.told.empty());
}

TEST_F(LinkTest, DropsWhatDoesNotComeFromTheLeader) {
  becomeRegistered();
  LibprocessProgram stranger(loop_.get_executor());
  const Upid agent = program_.messenger().own("slave(1)");
  stranger.messenger().send("master", agent, "mesos.internal.RunTaskMessage", runTask("x").SerializeAsString());
  stranger.messenger().send("master", agent, "mesos.internal.ShutdownMessage", "");
  say("RunTaskMessage", runTask("y"), "somebody");
  pass(50ms);
  EXPECT_TRUE(tasks_.told.empty());
  async::runUntilDone(loop_, stranger.stop());
}

TEST_F(LinkTest, SurvivesEveryMessageWithGarbageInIt) {
  becomeRegistered();
  for (const char* name :
       {"SlaveRegisteredMessage", "SlaveReregisteredMessage", "PingSlaveMessage", "ShutdownMessage", "RunTaskMessage",
        "RunTaskGroupMessage", "KillTaskMessage", "StatusUpdateAcknowledgementMessage", "UpdateFrameworkMessage",
        "ShutdownFrameworkMessage", "ShutdownExecutorMessage", "FrameworkToExecutorMessage", "DrainSlaveMessage",
        "CheckpointResourcesMessage", "ApplyOperationMessage", "ReconcileOperationsMessage", "NobodyKnowsThis"}) {
    const std::string full = std::string("mesos.internal.") + name;
    for (const std::string& body : {std::string("\xff\xff\xff"), std::string("garbage"), std::string(100, '\x0a')}) {
      master_.messenger().send("master", program_.messenger().own("slave(1)"), full, body);
    }
  }
  master_.messenger().send("master", program_.messenger().own("slave(1)"), "x", "");
  say("RunTaskMessage", runTask("last"));
  EXPECT_TRUE(isTold(std::string("run ") + kFramework + " last"));
  EXPECT_FALSE(ended_);
}

TEST_F(LinkTest, HandsFrameworkMessagesOn) {
  becomeRegistered();
  mesos::internal::StatusUpdateAcknowledgementMessage acknowledgement;
  acknowledgement.mutable_slave_id()->set_value(kAgent);
  acknowledgement.mutable_framework_id()->set_value(kFramework);
  acknowledgement.mutable_task_id()->set_value("t");
  acknowledgement.set_uuid("0123456789abcdef");
  say("StatusUpdateAcknowledgementMessage", acknowledgement);
  EXPECT_TRUE(isTold(std::string("acknowledge ") + kFramework + " t 0123456789abcdef"));
  mesos::internal::ShutdownFrameworkMessage shutdown;
  shutdown.mutable_framework_id()->set_value(kFramework);
  say("ShutdownFrameworkMessage", shutdown);
  EXPECT_TRUE(isTold(std::string("shutdownFramework ") + kFramework));
  mesos::internal::DrainSlaveMessage drain;
  drain.mutable_config()->set_mark_gone(true);
  say("DrainSlaveMessage", drain);
  EXPECT_TRUE(isTold("drain true"));
  mesos::internal::UpdateFrameworkMessage update;
  update.mutable_framework_id()->set_value(kFramework);
  update.set_pid("scheduler-1@127.0.0.1:9");
  update.mutable_framework_info()->set_user("u");
  update.mutable_framework_info()->set_name("n");
  update.mutable_framework_info()->mutable_id()->set_value(kFramework);
  say("UpdateFrameworkMessage", update);
  EXPECT_TRUE(isTold(std::string("updateFramework ") + kFramework + " scheduler-1@127.0.0.1:9"));
}

TEST_F(LinkTest, KeepsCheckpointedResourcesForTheNextRegistration) {
  becomeRegistered();
  mesos::internal::CheckpointResourcesMessage message;
  auto* disk = message.add_resources();
  disk->set_name("disk");
  disk->set_type(mesos::v1::Value::SCALAR);
  disk->mutable_scalar()->set_value(64);
  disk->mutable_disk()->mutable_persistence()->set_id("volume");
  say("CheckpointResourcesMessage", message);
  ASSERT_TRUE(eventually([&] { return link_->facts().checkpointedResources.size() == 1; }));
  pass(50ms);
  stopAgent();
  mail_.clear();
  open();
  start();
  const auto asked = expectMail<mesos::internal::ReregisterSlaveMessage>("ReregisterSlaveMessage");
  ASSERT_EQ(asked.checkpointed_resources_size(), 1);
  EXPECT_EQ(asked.checkpointed_resources(0).disk().persistence().id(), "volume");
}

TEST_F(LinkTest, AnswersForOperationsThatItDoesNotKnow) {
  becomeRegistered();
  mesos::internal::ReconcileOperationsMessage message;
  message.add_operations()->mutable_operation_uuid()->set_value("0123456789abcdef");
  say("ReconcileOperationsMessage", message);
  const auto status = expectMail<mesos::internal::UpdateOperationStatusMessage>("UpdateOperationStatusMessage");
  EXPECT_EQ(status.slave_id().value(), kAgent);
  EXPECT_EQ(status.operation_uuid().value(), "0123456789abcdef");
  EXPECT_EQ(status.status().state(), mesos::v1::OPERATION_DROPPED);
}

TEST_F(LinkTest, EndsWhenTheMasterShutsItDown) {
  becomeRegistered();
  mesos::internal::ShutdownMessage message;
  message.set_message("Agent has been marked gone");
  say("ShutdownMessage", message);
  ASSERT_TRUE(eventually([&] { return ended_.has_value(); }));
  EXPECT_TRUE(*ended_);
  EXPECT_TRUE(isTold("shutdown"));
  EXPECT_TRUE(async::runUntilDone(loop_, link_->forget()));
  stopAgent();
  mail_.clear();
  open();
  start();
  const auto asked = expectMail<mesos::internal::ReregisterSlaveMessage>("ReregisterSlaveMessage");
  EXPECT_EQ(asked.slave().id().value(), kAgent);
}

TEST_F(LinkTest, EndsWhenTheMasterRefusesItAsNew) {
  start();
  expectMail<mesos::internal::RegisterSlaveMessage>("RegisterSlaveMessage");
  say("ShutdownMessage", mesos::internal::ShutdownMessage());
  ASSERT_TRUE(eventually([&] { return ended_.has_value(); }));
  EXPECT_TRUE(*ended_);
}

TEST_F(LinkTest, TakesLeaveOfTheMaster) {
  becomeRegistered();
  link_->unregister();
  const auto message = expectMail<mesos::internal::UnregisterSlaveMessage>("UnregisterSlaveMessage");
  EXPECT_EQ(message.slave_id().value(), kAgent);
  ASSERT_TRUE(eventually([&] { return ended_.has_value(); }));
  EXPECT_TRUE(*ended_);
  EXPECT_TRUE(isTold("shutdown"));
  say("RunTaskMessage", runTask("late"));
  pass(50ms);
  EXPECT_EQ(std::count(tasks_.told.begin(), tasks_.told.end(), std::string("run ") + kFramework + " late"), 0);
  EXPECT_TRUE(async::runUntilDone(loop_, link_->forget()));
  stopAgent();
  open();
  start();
  expectMail<mesos::internal::RegisterSlaveMessage>("RegisterSlaveMessage");
}

TEST_F(LinkTest, EndsWithAnErrorWhenItIsCalledAnotherAgent) {
  becomeRegistered();
  sayRegistered("other-S7");
  ASSERT_TRUE(eventually([&] { return ended_.has_value(); }));
  EXPECT_EQ(ended_->error().code(), Code::Unsupported);
}

TEST_F(LinkTest, EndsWhenAChangedAgentMeetsAMasterThatDoesNotTakeIt) {
  becomeRegistered();
  pass(50ms);
  stopAgent();
  leader_.updatesAgents = false;
  auto changed = agentInfo();
  changed.set_hostname("renamed.example");
  open(changed);
  start();
  ASSERT_TRUE(eventually([&] { return ended_.has_value(); }));
  EXPECT_EQ(ended_->error().code(), Code::Unsupported);
}

TEST_F(LinkTest, SendsStatusUpdatesToTheLeader) {
  becomeRegistered();
  tasks::StatusUpdate update;
  update.framework = kFramework;
  update.task = "t";
  update.executor = "t";
  update.status.state = tasks::TaskState::Running;
  update.status.uuid = "0123456789abcdef";
  tasks_.sink->send(update);
  const auto message = expectMail<mesos::internal::StatusUpdateMessage>("StatusUpdateMessage");
  EXPECT_EQ(message.pid(), toString(program_.messenger().own("slave(1)")));
  EXPECT_EQ(message.update().status().state(), mesos::v1::TASK_RUNNING);
  EXPECT_EQ(message.update().slave_id().value(), kAgent);
}

}  // namespace
}  // namespace gantry::agent::master
