#include "agent/master/registration.hpp"

#include <gtest/gtest.h>

#include "agent/master/static_detector.hpp"
#include "async/channel.hpp"
#include "tests/fakes/libprocess.hpp"

namespace gantry::agent::master {
namespace {

using namespace std::chrono_literals;
using fakes::LibprocessProgram;

// A detector that says what the test tells it to.
class ToldDetector : public Detector {
 public:
  explicit ToldDetector(async::Executor executor) : changed_(std::move(executor)) {}

  void tell(std::optional<Master> leader) {
    leader_ = std::move(leader);
    changed_.notify();
  }
  async::Task<Result<std::optional<Master>>> detect(std::optional<Master> previous) override {
    return detectFrom(this, std::move(previous));
  }

 private:
  static async::Task<Result<std::optional<Master>>> detectFrom(ToldDetector* self, std::optional<Master> previous) {
    while (self->leader_ == previous) {
      const std::uint64_t seen = self->changed_.count();
      CO_TRY_VOID(co_await afterChange(self, seen));
    }
    co_return self->leader_;
  }
  static async::Task<Result<void>> afterChange(ToldDetector* self, std::uint64_t seen) {
    CO_TRY_VOID(co_await self->changed_.after(seen));
    co_return Result<void>();
  }

  std::optional<Master> leader_;
  async::Notification changed_;
};

class CountingRegistrant : public Registrant {
 public:
  Request request() override { return {"test.Register", "please"}; }
  void led(const std::optional<Master>& leader) override { leaders.push_back(leader ? leader->hostname : "nobody"); }
  void lost() override { ++losses; }

  std::vector<std::string> leaders;
  int losses = 0;
};

RegistrationSettings fast() {
  RegistrationSettings settings;
  settings.backoff = 5ms;
  settings.longestBackoff = 40ms;
  settings.pingTimeout = 100ms;
  settings.random = [] { return 0.5; };
  return settings;
}

class RegistrationTest : public testing::Test {
 protected:
  RegistrationTest()
      : scope_(loop_.get_executor()),
        agent_(loop_.get_executor()),
        master_(loop_.get_executor()),
        detector_(loop_.get_executor()),
        registration_(loop_.get_executor(), agent_.messenger(), detector_, registrant_, fast()) {
    master_.messenger().add("master", [this](const Upid& from, const std::string& name, const std::string&) {
      attempts_.push_back(toString(from) + " " + name);
      times_.push_back(std::chrono::steady_clock::now());
    });
    scope_.spawn(follow(this));
  }
  ~RegistrationTest() override {
    async::runUntilDone(loop_, endAll(&scope_));
    async::runUntilDone(loop_, agent_.stop());
    async::runUntilDone(loop_, master_.stop());
  }

  // On the loop: cancelling what is about to end anyway is not safe from outside it.
  static async::Task<> endAll(async::Scope* scope) {
    scope->cancel();
    co_await scope->join();
  }
  static async::Task<> follow(RegistrationTest* test) { test->ended_ = co_await test->registration_.follow(); }

  void pass(async::Duration time) { ignore(async::runUntilDone(loop_, async::sleep(time)), "nothing cancels it"); }
  template <typename Condition>
  bool eventually(Condition condition) {
    for (int i = 0; i < 1000 && !condition(); ++i) pass(2ms);
    return condition();
  }
  Master leader(std::string hostname = "one") {
    Master master;
    master.pid = master_.messenger().own("master");
    master.hostname = std::move(hostname);
    return master;
  }
  void registerNow() {
    detector_.tell(leader());
    ASSERT_TRUE(eventually([&] { return !attempts_.empty(); }));
    registration_.accepted(std::nullopt);
    attempts_.clear();
  }

  async::Loop loop_;
  async::Scope scope_;
  LibprocessProgram agent_;
  LibprocessProgram master_;
  ToldDetector detector_;
  CountingRegistrant registrant_;
  Registration registration_;
  std::vector<std::string> attempts_;
  std::vector<std::chrono::steady_clock::time_point> times_;
  std::optional<Result<void>> ended_;
};

TEST_F(RegistrationTest, AsksAgainAndAgainUntilItIsAccepted) {
  detector_.tell(leader());
  ASSERT_TRUE(eventually([&] { return attempts_.size() >= 6; }));
  EXPECT_EQ(attempts_.front(), toString(agent_.messenger().own("slave(1)")) + " test.Register");
  // Half of 10, 20, 40, 40, … ms.
  EXPECT_GE(times_[2] - times_[1], 9ms);
  EXPECT_GE(times_[5] - times_[4], 18ms);
  EXPECT_FALSE(registration_.isRunning());
  registration_.accepted(std::nullopt);
  EXPECT_TRUE(registration_.isRunning());
  const std::size_t asked = attempts_.size();
  pass(60ms);
  EXPECT_LE(attempts_.size(), asked + 1);
  EXPECT_EQ(registrant_.leaders, std::vector<std::string>{"one"});
}

TEST_F(RegistrationTest, UsesOneConnectionForAllAttempts) {
  detector_.tell(leader());
  ASSERT_TRUE(eventually([&] { return attempts_.size() >= 4; }));
  EXPECT_EQ(master_.connections(), 1U);
}

TEST_F(RegistrationTest, StaysSilentWithoutALeader) {
  pass(50ms);
  EXPECT_TRUE(attempts_.empty());
  EXPECT_TRUE(registrant_.leaders.empty());
}

TEST_F(RegistrationTest, BeginsAgainWithANewLeader) {
  registerNow();
  detector_.tell(leader("two"));
  ASSERT_TRUE(eventually([&] { return !attempts_.empty(); }));
  EXPECT_EQ(registrant_.losses, 1);
  EXPECT_EQ(registrant_.leaders, (std::vector<std::string>{"one", "two"}));
  EXPECT_FALSE(registration_.isRunning());
}

TEST_F(RegistrationTest, WaitsWhenTheLeaderIsGone) {
  registerNow();
  detector_.tell(std::nullopt);
  ASSERT_TRUE(eventually([&] { return registrant_.losses == 1; }));
  pass(150ms);
  EXPECT_TRUE(attempts_.empty());
  EXPECT_FALSE(registration_.leader());
  EXPECT_EQ(registrant_.leaders, (std::vector<std::string>{"one", "nobody"}));
  detector_.tell(leader());
  EXPECT_TRUE(eventually([&] { return !attempts_.empty(); }));
}

TEST_F(RegistrationTest, RegistersAgainWhenNoPingComes) {
  registerNow();
  for (int i = 0; i < 5; ++i) {
    pass(50ms);
    registration_.pinged(true);
  }
  EXPECT_TRUE(attempts_.empty());
  EXPECT_EQ(registrant_.losses, 0);
  EXPECT_TRUE(eventually([&] { return !attempts_.empty(); }));
  EXPECT_EQ(registrant_.losses, 1);
  EXPECT_EQ(registrant_.leaders, (std::vector<std::string>{"one", "one"}));
}

TEST_F(RegistrationTest, TakesThePingTimeoutFromTheMaster) {
  detector_.tell(leader());
  ASSERT_TRUE(eventually([&] { return !attempts_.empty(); }));
  registration_.accepted(1h);
  attempts_.clear();
  pass(200ms);
  EXPECT_TRUE(attempts_.empty());
  EXPECT_TRUE(registration_.isRunning());
}

TEST_F(RegistrationTest, RegistersAgainWhenTheMasterThinksWeAreGone) {
  registerNow();
  registration_.pinged(false);
  EXPECT_TRUE(eventually([&] { return !attempts_.empty(); }));
  EXPECT_EQ(registrant_.losses, 1);
}

TEST_F(RegistrationTest, DoesNotStartOverForPingsThatComeBeforeTheRegistration) {
  detector_.tell(leader());
  ASSERT_TRUE(eventually([&] { return !attempts_.empty(); }));
  registration_.pinged(false);
  pass(20ms);
  EXPECT_EQ(registrant_.losses, 0);
  EXPECT_EQ(registrant_.leaders.size(), 1U);
}

TEST_F(RegistrationTest, KeepsTryingWhileTheMasterDoesNotListen) {
  LibprocessProgram gone(loop_.get_executor());
  Master away = leader("away");
  away.pid = gone.messenger().own("master");
  async::runUntilDone(loop_, gone.stop());
  detector_.tell(away);
  pass(50ms);
  EXPECT_FALSE(ended_);
  detector_.tell(leader());
  EXPECT_TRUE(eventually([&] { return !attempts_.empty(); }));
}

TEST_F(RegistrationTest, EndsWhenCancelled) {
  registerNow();
  async::runUntilDone(loop_, endAll(&scope_));
  ASSERT_TRUE(eventually([&] { return ended_.has_value(); }));
  EXPECT_EQ((*ended_).error().code(), Code::Cancelled);
}

TEST(StaticDetector, KnowsOneMasterForEver) {
  async::Loop loop;
  StaticDetector detector({"master", {"localhost", 5050}});
  auto first = async::runUntilDone(loop, detector.detect(std::nullopt));
  ASSERT_TRUE(first && *first);
  EXPECT_EQ(toString((*first)->pid), "master@127.0.0.1:5050");
  EXPECT_EQ((*first)->hostname, "localhost");
  EXPECT_TRUE((*first)->updatesAgents);
  const auto second = async::runUntilDone(loop, async::withTimeout(20ms, detector.detect(*first)));
  EXPECT_EQ(second.error().code(), Code::Timeout);
}

TEST(StaticDetector, LooksAgainForANameThatIsNotThere) {
  async::Loop loop;
  StaticDetector detector({"master", {"no-such-host.invalid", 5050}}, 5ms);
  const auto found = async::runUntilDone(loop, async::withTimeout(300ms, detector.detect(std::nullopt)));
  EXPECT_EQ(found.error().code(), Code::Timeout);
}

}  // namespace
}  // namespace gantry::agent::master
