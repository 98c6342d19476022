#include "agent/master/authenticator.hpp"

#include <gtest/gtest.h>

#include "agent/wire/mesos_internal.pb.h"
#include "tests/fakes/libprocess.hpp"

namespace gantry::agent::master {
namespace {

using namespace std::chrono_literals;
using fakes::LibprocessProgram;

const Credential kTim{"tim", "tanstaaftanstaaf"};
// RFC 2195, section 2.
constexpr auto kChallenge = "<1896.697170952@postoffice.reston.mci.net>";
constexpr auto kResponse = "tim b913a602c7eda7a495b4e6e7334d3890";

TEST(CramMd5, AnswersAsTheStandardsExample) {
  EXPECT_EQ(crammd5Response(kTim, kChallenge), kResponse);
}

TEST(Credential, IsReadFromJson) {
  const auto credential = parseCredential(R"({"principal": "tim", "secret": "s", "more": 1})");
  ASSERT_TRUE(credential);
  EXPECT_EQ(credential->principal, "tim");
  EXPECT_EQ(credential->secret, "s");
}

TEST(Credential, MayBeTwoWords) {
  const auto credential = parseCredential("tim s\n");
  ASSERT_TRUE(credential);
  EXPECT_EQ(credential->principal, "tim");
  EXPECT_EQ(credential->secret, "s");
}

TEST(Credential, SaysWhatIsMissing) {
  for (const char* text : {"", "tim", "tim s t", "[]", "{}", R"({"principal": "tim"})", R"({"secret": "s"})",
                           R"({"principal": "", "secret": "s"})", R"({"principal": "tim", "secret": 7})"}) {
    const auto credential = parseCredential(text);
    ASSERT_FALSE(credential) << text;
    EXPECT_EQ(credential.error().code(), Code::InvalidArgument);
  }
}

// A master with one session process. What it does next is in `script`, one word for each AuthenticateMessage.
class AuthenticatorTest : public testing::Test {
 protected:
  AuthenticatorTest() : agent_(loop_.get_executor()), master_(loop_.get_executor()) {
    master_.messenger().add("master", [this](const Upid& from, const std::string& name, const std::string& body) {
      EXPECT_EQ(name, "mesos.internal.AuthenticateMessage");
      mesos::internal::AuthenticateMessage message;
      EXPECT_TRUE(message.ParseFromString(body));
      pids_.push_back(message.pid());
      begin(from);
    });
    master_.messenger().add("session(1)", [this](const Upid& from, const std::string& name, const std::string& body) {
      step(from, name, body);
    });
  }
  ~AuthenticatorTest() override {
    async::runUntilDone(loop_, agent_.stop());
    async::runUntilDone(loop_, master_.stop());
  }

  void reply(const Upid& to, const std::string& name, const google::protobuf::MessageLite& message) {
    master_.messenger().send("session(1)", to, "mesos.internal." + name, message.SerializePartialAsString());
  }
  void begin(const Upid& from) {
    const std::string what = script_.empty() ? "go" : script_.front();
    if (!script_.empty()) script_.erase(script_.begin());
    if (what == "silence") return;
    if (what == "error") {
      mesos::internal::AuthenticationErrorMessage message;
      message.set_error("No authenticator loaded");
      return reply(from, "AuthenticationErrorMessage", message);
    }
    if (what == "nonsense") {
      return master_.messenger().send("session(1)", from, "mesos.internal.AuthenticationStepMessage", "\xff\xff");
    }
    mesos::internal::AuthenticationMechanismsMessage message;
    message.add_mechanisms(what == "other" ? "SCRAM" : "CRAM-MD5");
    reply(from, "AuthenticationMechanismsMessage", message);
  }
  void step(const Upid& from, const std::string& name, const std::string& body) {
    if (name == "mesos.internal.AuthenticationStartMessage") {
      mesos::internal::AuthenticationStartMessage start;
      EXPECT_TRUE(start.ParseFromString(body));
      EXPECT_EQ(start.mechanism(), "CRAM-MD5");
      EXPECT_TRUE(start.has_data());
      mesos::internal::AuthenticationStepMessage message;
      message.set_data(kChallenge);
      return reply(from, "AuthenticationStepMessage", message);
    }
    mesos::internal::AuthenticationStepMessage answer;
    EXPECT_TRUE(answer.ParseFromString(body));
    if (answer.data() == kResponse) {
      reply(from, "AuthenticationCompletedMessage", mesos::internal::AuthenticationCompletedMessage());
    } else {
      reply(from, "AuthenticationFailedMessage", mesos::internal::AuthenticationFailedMessage());
    }
  }

  Result<void> authenticateAs(const Credential& credential) {
    AuthenticationTimes times;
    times.shortest = 50ms;
    times.longest = 200ms;
    times.backoff = 10ms;
    auto work = authenticate(&agent_.messenger(), master_.messenger().own("master"), "slave(1)", credential, times,
                             [] { return 0.5; });
    return async::runUntilDone(loop_, async::withTimeout(5s, std::move(work)));
  }

  async::Loop loop_;
  LibprocessProgram agent_;
  LibprocessProgram master_;
  std::vector<std::string> script_;
  std::vector<std::string> pids_;
};

TEST_F(AuthenticatorTest, ShakesHands) {
  EXPECT_TRUE(authenticateAs(kTim));
  EXPECT_EQ(pids_, std::vector<std::string>{toString(agent_.messenger().own("slave(1)"))});
}

TEST_F(AuthenticatorTest, EndsForGoodWithAWrongSecret) {
  const auto done = authenticateAs({"tim", "wrong"});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), Code::PermissionDenied);
  EXPECT_EQ(pids_.size(), 1U);
}

TEST_F(AuthenticatorTest, TriesAgainAfterErrorsSilenceAndNonsense) {
  script_ = {"error", "silence", "nonsense", "other"};
  EXPECT_TRUE(authenticateAs(kTim));
  EXPECT_EQ(pids_.size(), 5U);
}

TEST_F(AuthenticatorTest, ListensToNobodyElse) {
  LibprocessProgram stranger(loop_.get_executor());
  script_ = {"silence"};
  Upid target = agent_.messenger().own("crammd5-authenticatee(1)");
  for (int i = 1; i < 40; ++i) {
    target.id = "crammd5-authenticatee(" + std::to_string(i) + ")";
    stranger.messenger().send("x", target, "mesos.internal.AuthenticationFailedMessage", "");
  }
  EXPECT_TRUE(authenticateAs(kTim));
  async::runUntilDone(loop_, stranger.stop());
}

}  // namespace
}  // namespace gantry::agent::master
