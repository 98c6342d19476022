#include "agent/master/messenger.hpp"

#include <gtest/gtest.h>

#include "tests/fakes/libprocess.hpp"

namespace gantry::agent::master {
namespace {

using namespace std::chrono_literals;
using fakes::LibprocessProgram;

MessengerOptions shortQueue() {
  MessengerOptions options;
  options.queue = 400;
  return options;
}

class MessengerTest : public testing::Test {
 protected:
  MessengerTest() : here_(loop_.get_executor()), there_(loop_.get_executor()) {
    there_.messenger().add("there", [this](const Upid& from, const std::string& name, const std::string& body) {
      received_.push_back(toString(from) + " " + name + " " + body);
    });
  }
  ~MessengerTest() override {
    async::runUntilDone(loop_, here_.stop());
    async::runUntilDone(loop_, there_.stop());
  }

  void pass(async::Duration time) { ignore(async::runUntilDone(loop_, async::sleep(time)), "nothing cancels it"); }
  template <typename Condition>
  bool eventually(Condition condition) {
    for (int i = 0; i < 500 && !condition(); ++i) pass(10ms);
    return condition();
  }
  Upid there() { return there_.messenger().own("there"); }
  std::string sender() { return toString(here_.messenger().own("here")); }

  async::Loop loop_;
  LibprocessProgram here_;
  LibprocessProgram there_;
  std::vector<std::string> received_;
};

TEST(EncodeMessage, WritesTheBytesThatMesosWrites) {
  const Upid agent{"slave(1)", {"127.0.0.1", 5051}};
  const Upid master{"master", {"127.0.0.1", 5050}};
  EXPECT_EQ(encodeMessage(agent, master, "mesos.internal.X", "abcdefghijklmnop"),
            "POST /master/mesos.internal.X HTTP/1.1\r\n"
            "User-Agent: libprocess/slave(1)@127.0.0.1:5051\r\n"
            "Libprocess-From: slave(1)@127.0.0.1:5051\r\n"
            "Connection: Keep-Alive\r\n"
            "Host: 127.0.0.1:5050\r\n"
            "Transfer-Encoding: chunked\r\n\r\n10\r\nabcdefghijklmnop\r\n0\r\n\r\n");
  EXPECT_EQ(encodeMessage(master, agent, "mesos.internal.Y", ""),
            "POST /slave(1)/mesos.internal.Y HTTP/1.1\r\n"
            "User-Agent: libprocess/master@127.0.0.1:5050\r\n"
            "Libprocess-From: master@127.0.0.1:5050\r\n"
            "Connection: Keep-Alive\r\n"
            "Host: 127.0.0.1:5051\r\n\r\n");
}

TEST_F(MessengerTest, DeliversInOrder) {
  std::vector<std::string> expected;
  for (int i = 0; i < 200; ++i) {
    const std::string body(static_cast<std::size_t>(i) * 37, 'x');
    here_.messenger().send("here", there(), "m" + std::to_string(i), body);
    expected.push_back(sender() + " m" + std::to_string(i) + " " + body);
  }
  ASSERT_TRUE(eventually([&] { return received_.size() == expected.size(); }));
  EXPECT_EQ(received_, expected);
}

TEST_F(MessengerTest, ClosesAConnectionThatNobodyLinked) {
  here_.messenger().send("here", there(), "m", "");
  ASSERT_TRUE(eventually([&] { return received_.size() == 1; }));
  EXPECT_TRUE(eventually([&] { return there_.connections() == 0; }));
  here_.messenger().send("here", there(), "n", "");
  EXPECT_TRUE(eventually([&] { return received_.size() == 2; }));
}

TEST_F(MessengerTest, KeepsALinkedConnectionAndUsesItForEverything) {
  here_.messenger().link(there(), [] { FAIL() << "the link broke"; });
  here_.messenger().send("here", there(), "m", "");
  ASSERT_TRUE(eventually([&] { return received_.size() == 1; }));
  pass(50ms);
  here_.messenger().send("here", there(), "n", "");
  ASSERT_TRUE(eventually([&] { return received_.size() == 2; }));
  EXPECT_EQ(there_.connections(), 1U);
}

TEST_F(MessengerTest, TellsOfABrokenLinkOnce) {
  int broken = 0;
  auto other = std::make_unique<LibprocessProgram>(loop_.get_executor());
  const Upid peer = other->messenger().own("x");
  here_.messenger().link(peer, [&] { broken += 100; });
  here_.messenger().link(peer, [&] { ++broken; });
  ASSERT_TRUE(eventually([&] { return other->connections() == 1; }));
  async::runUntilDone(loop_, other->stop());
  EXPECT_TRUE(eventually([&] { return broken == 1; }));
  pass(50ms);
  EXPECT_EQ(broken, 1);
}

TEST_F(MessengerTest, TellsOfALinkThatCannotBeMade) {
  int broken = 0;
  auto other = std::make_unique<LibprocessProgram>(loop_.get_executor());
  const Upid peer = other->messenger().own("x");
  async::runUntilDone(loop_, other->stop());
  other.reset();
  here_.messenger().link(peer, [&] { ++broken; });
  EXPECT_TRUE(eventually([&] { return broken == 1; }));
  // And it may be made again from the callback's place.
  here_.messenger().link(peer, [&] { ++broken; });
  EXPECT_TRUE(eventually([&] { return broken == 2; }));
}

TEST_F(MessengerTest, DropsWhatGoesNowhere) {
  here_.messenger().send("here", Upid{}, "m", "");
  here_.messenger().send("here", there_.messenger().own("nobody"), "m", "");
  here_.messenger().send("here", there(), "n", "");
  ASSERT_TRUE(eventually([&] { return !received_.empty(); }));
  EXPECT_EQ(received_, std::vector<std::string>{sender() + " n "});
}

TEST_F(MessengerTest, SendsWhatIsQueuedBeforeItStops) {
  here_.messenger().link(there(), [] { FAIL() << "the link was given up, it did not break"; });
  here_.messenger().send("here", there(), "last", "words");
  async::runUntilDone(loop_, here_.messenger().stop(5s));
  EXPECT_TRUE(eventually([&] { return received_.size() == 1; }));
}

TEST_F(MessengerTest, ConnectsToTheAddressAndExpectsTheNameThatIsGiven) {
  std::string connectedTo;
  std::string expected;
  MessengerOptions options;
  options.connect = [&](Address to, std::string name) {
    connectedTo = to.host;
    expected = name;
    return plainConnect()(std::move(to), std::move(name));
  };
  LibprocessProgram named(loop_.get_executor(), std::move(options));
  named.messenger().setName(there().address, "localhost");
  named.messenger().send("here", there(), "m", "");
  EXPECT_TRUE(eventually([&] { return received_.size() == 1; }));
  EXPECT_EQ(connectedTo, "127.0.0.1");
  EXPECT_EQ(expected, "localhost");
  async::runUntilDone(loop_, named.stop());
}

TEST_F(MessengerTest, BoundsWhatWaits) {
  LibprocessProgram small(loop_.get_executor(), shortQueue());
  for (int i = 0; i < 10; ++i) small.messenger().send("here", there(), "m", std::string(50, 'x'));
  ASSERT_TRUE(eventually([&] { return !received_.empty(); }));
  pass(50ms);
  EXPECT_LT(received_.size(), 10U);
  small.messenger().send("here", there(), "again", "");
  EXPECT_TRUE(eventually([&] { return received_.back().find("again") != std::string::npos; }));
  async::runUntilDone(loop_, small.stop());
}

// What the receiving side makes of a request.
class ReceiveTest : public testing::Test {
 protected:
  ReceiveTest() : messenger_(loop_.get_executor(), MessengerOptions{}) {
    messenger_.add("slave(1)", [this](const Upid& from, const std::string& name, const std::string& body) {
      last_ = toString(from) + " " + name + " " + body;
    });
  }

  static http::Message message(std::string target, http::Headers headers) {
    return {std::move(target), std::move(headers), {"127.0.0.1:40000", std::nullopt}, "body"};
  }
  int statusOf(const http::Message& what) {
    const auto response = messenger_.receive(what);
    return response ? response->status : 0;
  }

  async::Loop loop_;
  Messenger messenger_;
  std::string last_;
};

TEST_F(ReceiveTest, KnowsAMessageByEitherField) {
  EXPECT_TRUE(messenger_.takes({{"libprocess-from", "a@1.2.3.4:5"}}));
  EXPECT_TRUE(messenger_.takes({{"User-Agent", "libprocess/a@1.2.3.4:5"}}));
  EXPECT_FALSE(messenger_.takes({{"User-Agent", "curl/8.0"}}));
  EXPECT_FALSE(messenger_.takes({}));
}

TEST_F(ReceiveTest, AnswersOnlyThoseThatAreNoLibprocess) {
  EXPECT_EQ(statusOf(message("/slave(1)/x.Y", {{"Libprocess-From", " a@1.2.3.4:5 "}})), 202);
  EXPECT_EQ(last_, "a@1.2.3.4:5 x.Y body");
  EXPECT_EQ(statusOf(message("/slave%281%29/x.Z", {{"User-Agent", "libprocess/b@1.2.3.4:5"}})), 0);
  EXPECT_EQ(last_, "b@1.2.3.4:5 x.Z body");
}

TEST_F(ReceiveTest, TakesAllBehindTheIdAsTheName) {
  EXPECT_EQ(statusOf(message("/slave(1)/a/b", {{"Libprocess-From", "a@1.2.3.4:5"}})), 202);
  EXPECT_EQ(last_, "a@1.2.3.4:5 a/b body");
}

TEST_F(ReceiveTest, RefusesWhatItCannotRoute) {
  EXPECT_EQ(statusOf(message("/nobody/x", {{"Libprocess-From", "a@1.2.3.4:5"}})), 404);
  EXPECT_EQ(statusOf(message("/x", {{"Libprocess-From", "a@1.2.3.4:5"}})), 404);
  EXPECT_EQ(statusOf(message("/slave%2/x", {{"Libprocess-From", "a@1.2.3.4:5"}})), 500);
  EXPECT_EQ(statusOf(message("/slave(1)/x", {{"Libprocess-From", "nonsense"}})), 500);
  EXPECT_EQ(statusOf(message("http://a/slave(1)/x", {{"Libprocess-From", "a@1.2.3.4:5"}})), 400);
  EXPECT_EQ(last_, "");
}

TEST_F(ReceiveTest, MayDemandThatTheSenderIsWhereItSays) {
  MessengerOptions options;
  options.requirePeerMatch = true;
  Messenger strict(loop_.get_executor(), options);
  strict.add("x", [](const Upid&, const std::string&, const std::string&) {});
  EXPECT_EQ(strict.receive(message("/x/y", {{"Libprocess-From", "a@1.2.3.4:5"}}))->status, 400);
  EXPECT_EQ(strict.receive(message("/x/y", {{"Libprocess-From", "a@127.0.0.1:5"}}))->status, 202);
}

TEST_F(ReceiveTest, LetsAHandlerRemoveItself) {
  messenger_.add("once", [this](const Upid&, const std::string&, const std::string&) { messenger_.remove("once"); });
  EXPECT_EQ(statusOf(message("/once/x", {{"Libprocess-From", "a@1.2.3.4:5"}})), 202);
  EXPECT_EQ(statusOf(message("/once/x", {{"Libprocess-From", "a@1.2.3.4:5"}})), 404);
}

}  // namespace
}  // namespace gantry::agent::master
