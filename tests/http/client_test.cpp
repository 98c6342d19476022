#include "http/client.hpp"

#include <unistd.h>

#include <gtest/gtest.h>

#include "async/run.hpp"
#include "http/recordio.hpp"
#include "http/server.hpp"
#include "kernel/file.hpp"

namespace gantry::http {
namespace {

using namespace std::chrono_literals;
using async::Task;

// Answers each record of the request's body with one record, as it comes.
Task<> shout(RequestPtr request, ResponderPtr responder) {
  request->body->expectStream();
  Response head(200, "application/recordio", "");
  ignore(co_await responder->begin(std::move(head)), "the test sees what arrives");
  RecordReader records(request->body);
  while (true) {
    auto record = co_await records.next();
    if (!record || !*record) break;
    std::string answer = encodeRecord(**record + "!");
    ignore(co_await responder->write(std::move(answer)), "the test sees what arrives");
  }
  ignore(co_await responder->end(), "the test sees what arrives");
}

Task<> takeAll(RequestPtr request, ResponderPtr responder) {
  const BodyReaderPtr body = request->body;
  const auto text = co_await readAll(body);
  Response response = text ? textResponse(200, "taken") : bodyErrorResponse(text.error());
  ignore(co_await responder->send(std::move(response)), "the test sees what arrives");
}

Task<> whoAreYou(RequestPtr request, ResponderPtr responder) {
  const auto& credentials = request->peer.credentials;
  Response response = textResponse(200, credentials ? std::to_string(credentials->pid) : "somebody");
  ignore(co_await responder->send(std::move(response)), "the test sees what arrives");
}

class ClientTest : public testing::Test {
 protected:
  ClientTest() : server_(loop_.get_executor(), router()) {
    auto tcp = async::Listener::onTcp(loop_.get_executor(), "127.0.0.1", 0);
    tcp_ = {"", "127.0.0.1", tcp->port()};
    server_.serve(std::move(*tcp));
    unix_ = {testing::TempDir() + "/gantry-client-" + std::to_string(::getpid()), "", 0};
    server_.serve(*async::Listener::onUnix(loop_.get_executor(), unix_.unixPath));
  }
  ~ClientTest() override {
    async::runUntilDone(loop_, server_.stop(0s));
    ignore(kernel::unlink(unix_.unixPath), "a temporary file");
  }

  static Router router() {
    Router router;
    router.add("POST", "/shout", shout);
    router.add("POST", "/shout-it-all", takeAll);
    router.add("GET", "/who", whoAreYou);
    return router;
  }

  async::Loop loop_;
  Server server_;
  Endpoint tcp_;
  Endpoint unix_;
};

TEST_F(ClientTest, FetchesOverTcpAndUnixSockets) {
  ClientRequest request;
  request.target = "/who";
  EXPECT_EQ(async::runUntilDone(loop_, fetch(tcp_, request))->body, "somebody");
  EXPECT_EQ(async::runUntilDone(loop_, fetch(unix_, request))->body, std::to_string(::getpid()));
  request.target = "/nowhere";
  EXPECT_EQ(async::runUntilDone(loop_, fetch(unix_, request))->status, 404);
}

Task<Result<std::vector<std::string>>> talk(Endpoint endpoint) {
  ClientRequest request;
  request.method = "POST";
  request.target = "/shout";
  request.streamBody = true;
  CO_TRY(const ExchangePtr asked, co_await exchange(endpoint, std::move(request)));
  CO_TRY(const ResponseHead head, co_await asked->response());
  std::vector<std::string> answers{std::to_string(head.status)};
  RecordReader records(asked->body());
  for (const char* const word : {"one", "two"}) {
    std::string record = encodeRecord(word);
    CO_TRY_VOID(co_await asked->write(std::move(record)));
    CO_TRY(auto answer, co_await records.next());
    answers.push_back(answer.value_or("the end"));
  }
  CO_TRY_VOID(co_await asked->endBody());
  CO_TRY(auto last, co_await records.next());
  answers.push_back(last.value_or("the end"));
  co_return answers;
}

TEST_F(ClientTest, StreamsBothWaysAtOnce) {
  const auto answers = async::runUntilDone(loop_, talk(unix_));
  ASSERT_TRUE(answers) << answers.error().message();
  EXPECT_EQ(*answers, (std::vector<std::string>{"200", "one!", "two!", "the end"}));
}

TEST_F(ClientTest, ReadsTheRefusalOfABodyThatIsFarTooLarge) {
  ClientRequest request;
  request.method = "POST";
  request.target = "/shout-it-all";
  request.body = std::string(50U << 20U, 'x');
  const auto response = async::runUntilDone(loop_, fetch(tcp_, std::move(request)));
  ASSERT_TRUE(response) << response.error().message();
  EXPECT_EQ(response->status, 413);
}

TEST_F(ClientTest, SaysWhyItCannotConnect) {
  const auto response = async::runUntilDone(loop_, fetch(Endpoint{"/nowhere/agent.sock", "", 0}, {}));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code(), Code::NotFound);
  EXPECT_NE(response.error().message().find("/nowhere/agent.sock"), std::string::npos);
}

Task<> answerWith(async::ByteStream* stream, std::string bytes) {
  ignore(co_await stream->read(4096), "whatever the request is");
  ignore(co_await stream->write(std::move(bytes)), "the client reads it");
  stream->closeWrite();
}

Task<Result<std::string>> askAndRead(async::StreamPtr stream) {
  ClientRequest request;
  CO_TRY(const ExchangePtr asked, co_await exchangeOver(std::move(stream), std::move(request)));
  CO_TRY_VOID(co_await asked->response());
  BodyReaderPtr body = asked->body();
  co_return co_await readAll(std::move(body));
}

Task<Result<std::string>> bothSides(async::StreamPtr client, async::ByteStream* server, std::string bytes) {
  const async::Executor executor = co_await async::currentExecutor();
  async::Scope scope(executor);
  scope.spawn(answerWith(server, std::move(bytes)));
  auto text = co_await askAndRead(std::move(client));
  co_await scope.join();
  co_return text;
}

Result<std::string> bodyOf(const std::string& bytes) {
  async::Loop loop;
  auto [client, server] = async::memoryStreams(loop.get_executor());
  return async::runUntilDone(loop, bothSides(std::move(client), server.get(), bytes));
}

TEST(Exchange, ReadsBodiesHoweverTheyAreFramed) {
  EXPECT_EQ(*bodyOf("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"), "abc");
  EXPECT_EQ(*bodyOf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"), "abc");
  EXPECT_EQ(*bodyOf("HTTP/1.1 200 OK\r\n\r\nto the end"), "to the end");
  EXPECT_EQ(*bodyOf("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"), "x");
}

TEST(Exchange, KnowsATruncatedBody) {
  for (const char* const bytes : {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
                                  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"}) {
    const auto body = bodyOf(bytes);
    ASSERT_FALSE(body) << bytes;
    EXPECT_EQ(body.error().code(), Code::Unavailable) << body.error().message();
  }
  EXPECT_FALSE(bodyOf(""));
  EXPECT_FALSE(bodyOf("SSH-2.0-OpenSSH\r\n\r\n"));
}

TEST(ParseEndpoint, TakesSocketsAndAddresses) {
  EXPECT_EQ(parseEndpoint("unix:///run/a.sock")->unixPath, "/run/a.sock");
  EXPECT_EQ(*parseEndpoint("http://[::1]:80/"), (Endpoint{"", "::1", 80}));
  EXPECT_EQ(*parseEndpoint("node1:5051"), (Endpoint{"", "node1", 5051}));
  for (const char* const text : {"unix:///run/a.sock", "http://[::1]:80", "http://node1:5051"}) {
    EXPECT_EQ(toString(*parseEndpoint(text)), text);
  }
  for (const char* const bad : {"", "node1", "unix://a", "http://:80", "a:0", "a:65536", "https://a:1/b", "a:x"}) {
    EXPECT_FALSE(parseEndpoint(bad)) << bad;
  }
}

}  // namespace
}  // namespace gantry::http
