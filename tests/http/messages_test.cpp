#include <gtest/gtest.h>

#include "async/run.hpp"
#include "http/server.hpp"

namespace gantry::http {
namespace {

using namespace std::chrono_literals;
using async::Task;

// Takes what has a From field; answers 202 when it also has an Answer field.
class Mailbox : public MessageReceiver {
 public:
  bool takes(const Headers& headers) const override { return headers.has("From"); }
  std::optional<Response> receive(Message message) override {
    received.push_back(message.target + "=" + message.body);
    if (message.headers.has("Answer")) return Response(202);
    return std::nullopt;
  }

  std::vector<std::string> received;
};

Task<> hello(RequestPtr /*request*/, ResponderPtr responder) {
  Response response(200, "text/plain", "hello");
  ignore(co_await responder->send(std::move(response)), "the test sees what arrives");
}

Task<std::string> readToEnd(async::ByteStream* stream) {
  std::string all;
  while (true) {
    const auto piece = co_await stream->read(4096);
    if (!piece || piece->empty()) co_return all;
    all += *piece;
  }
}

class MessagesTest : public testing::Test {
 protected:
  MessagesTest() : server_(loop_.get_executor(), router(), limits()) { server_.setMessages(mailbox_); }
  ~MessagesTest() override { async::runUntilDone(loop_, server_.stop(0s)); }

  static Router router() {
    Router router;
    router.add("POST", "/hello", hello);
    return router;
  }
  static ServerLimits limits() {
    ServerLimits limits;
    limits.body = 10;
    limits.message = 1000;
    limits.progress = 1s;
    limits.idle = 20ms;
    return limits;
  }

  async::StreamPtr connect() {
    auto [ours, theirs] = async::memoryStreams(loop_.get_executor());
    server_.serve(std::move(theirs));
    return std::move(ours);
  }
  void pass(async::Duration time) { ignore(async::runUntilDone(loop_, async::sleep(time)), "nothing cancels it"); }
  void write(async::ByteStream& stream, std::string bytes) {
    ASSERT_TRUE(async::runUntilDone(loop_, stream.write(std::move(bytes))));
  }
  std::string answer(std::string bytes) {
    const async::StreamPtr stream = connect();
    write(*stream, std::move(bytes));
    stream->closeWrite();
    return async::runUntilDone(loop_, readToEnd(stream.get()));
  }

  async::Loop loop_;
  Mailbox mailbox_;
  Server server_;
};

TEST_F(MessagesTest, AreTakenInOrderAndNotAnswered) {
  const std::string text = answer(
      "POST /a(1)/One HTTP/1.1\r\nFrom: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n"
      "POST /a(1)/Two HTTP/1.1\r\nFrom: x\r\n\r\n"
      "POST /a(1)/Three HTTP/1.1\r\nFrom: x\r\nContent-Length: 5\r\n\r\nthree");
  EXPECT_EQ(mailbox_.received, (std::vector<std::string>{"/a(1)/One=one", "/a(1)/Two=", "/a(1)/Three=three"}));
  EXPECT_EQ(text, "");
}

TEST_F(MessagesTest, AreAnsweredWhereTheReceiverAnswers) {
  const std::string text = answer("POST /a/B HTTP/1.1\r\nFrom: x\r\nAnswer: yes\r\n\r\n");
  EXPECT_TRUE(text.starts_with("HTTP/1.1 202 Accepted\r\n")) << text;
  EXPECT_NE(text.find("Content-Length: 0\r\n"), std::string::npos) << text;
}

TEST_F(MessagesTest, StandBetweenOrdinaryRequests) {
  const async::StreamPtr stream = connect();
  write(*stream,
        "POST /hello HTTP/1.1\r\nHost: a\r\n\r\n"
        "POST /a/B HTTP/1.1\r\nFrom: x\r\n\r\n"
        "POST /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  const std::string text = async::runUntilDone(loop_, readToEnd(stream.get()));
  EXPECT_EQ(mailbox_.received.size(), 1U);
  EXPECT_NE(text.find("hello", text.find("hello") + 1), std::string::npos) << text;
}

TEST_F(MessagesTest, KeepTheirConnectionHoweverLongItIsIdle) {
  const async::StreamPtr stream = connect();
  write(*stream, "POST /a/B HTTP/1.1\r\nFrom: x\r\n\r\n");
  pass(100ms);
  EXPECT_EQ(server_.connections(), 1U);
  write(*stream, "POST /a/C HTTP/1.1\r\nFrom: x\r\n\r\n");
  pass(10ms);
  EXPECT_EQ(mailbox_.received.size(), 2U);
}

TEST_F(MessagesTest, ComePastTheGate) {
  server_.setGate([](const Request&) { return textResponse(503, "closed"); });
  EXPECT_EQ(answer("POST /a/B HTTP/1.1\r\nFrom: x\r\n\r\n"), "");
  EXPECT_EQ(mailbox_.received.size(), 1U);
}

TEST_F(MessagesTest, AreTakenThoughTheirSenderIsGone) {
  async::StreamPtr stream = connect();
  write(*stream, "POST /a/B HTTP/1.1\r\nFrom: x\r\n\r\nPOST /a/C HTTP/1.1\r\nFrom: x\r\n\r\n");
  stream->close();
  pass(10ms);
  EXPECT_EQ(mailbox_.received.size(), 2U);
}

TEST_F(MessagesTest, MayBeLargerThanRequests) {
  EXPECT_EQ(answer("POST /a/B HTTP/1.1\r\nFrom: x\r\nContent-Length: 500\r\n\r\n" + std::string(500, 'x')), "");
  EXPECT_EQ(mailbox_.received.size(), 1U);
  const std::string text =
      answer("POST /a/B HTTP/1.1\r\nFrom: x\r\nContent-Length: 1500\r\n\r\n" + std::string(1500, 'x'));
  EXPECT_TRUE(text.starts_with("HTTP/1.1 413 ")) << text;
  EXPECT_EQ(mailbox_.received.size(), 1U);
}

TEST_F(MessagesTest, AreDroppedWhenCutOff) {
  EXPECT_TRUE(answer("POST /a/B HTTP/1.1\r\nFrom: x\r\nContent-Length: 5\r\n\r\nab").starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(mailbox_.received.empty());
}

}  // namespace
}  // namespace gantry::http
