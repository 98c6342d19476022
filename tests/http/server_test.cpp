#include "http/server.hpp"

#include <gtest/gtest.h>

#include "async/run.hpp"

namespace gantry::http {
namespace {

using namespace std::chrono_literals;
using async::Task;

Task<> hello(RequestPtr request, ResponderPtr responder) {
  Response response = textResponse(200, "hello " + request->path);
  ignore(co_await responder->send(std::move(response)), "the test sees what arrives");
}

Task<> echo(RequestPtr request, ResponderPtr responder) {
  const BodyReaderPtr body = request->body;
  auto text = co_await readAll(body);
  Response response = text ? textResponse(200, std::move(*text)) : bodyErrorResponse(text.error());
  ignore(co_await responder->send(std::move(response)), "the test sees what arrives");
}

Task<> streamThree(RequestPtr /*request*/, ResponderPtr responder) {
  Response head(200, "application/recordio", "a");
  ignore(co_await responder->begin(std::move(head)), "the test sees what arrives");
  ignore(co_await responder->write("bc"), "the test sees what arrives");
  ignore(co_await responder->end(), "the test sees what arrives");
}

Task<> cutOff(RequestPtr /*request*/, ResponderPtr responder) {
  Response head(200, "text/plain", "half");
  ignore(co_await responder->begin(std::move(head)), "the test sees what arrives");
}

Task<> silent(RequestPtr /*request*/, ResponderPtr /*responder*/) {
  co_return;
}

// What became of the handler that waits for its client to go away.
std::string waiting;

Task<> waitForEver(RequestPtr /*request*/, ResponderPtr responder) {
  waiting = "waiting";
  const auto slept = co_await async::sleep(1h);
  waiting = slept ? "slept" : "cancelled";
  Response response = textResponse(503, "stopping");
  ignore(co_await responder->send(std::move(response)), "the client may be gone");
}

Task<> ignoreTheBody(RequestPtr /*request*/, ResponderPtr responder) {
  Response response(204);
  ignore(co_await responder->send(std::move(response)), "the test sees what arrives");
}

Router testRouter() {
  Router router;
  router.add("GET", "/hello", hello);
  router.add("POST", "/echo", echo);
  router.add("GET", "/stream", streamThree);
  router.add("GET", "/cut", cutOff);
  router.add("GET", "/silent", silent);
  router.add("GET", "/wait", waitForEver);
  router.add("POST", "/ignore", ignoreTheBody);
  return router;
}

ServerLimits smallLimits() {
  ServerLimits limits;
  limits.header = 1000;
  limits.body = 100;
  limits.progress = 50ms;
  limits.idle = 50ms;
  return limits;
}

Task<std::string> readToEnd(async::ByteStream* stream) {
  std::string all;
  while (true) {
    const auto piece = co_await stream->read(4096);
    if (!piece || piece->empty()) co_return all;
    all += *piece;
  }
}

// Reads until `text` has come, or the connection ends.
Task<std::string> readUntil(async::ByteStream* stream, std::string text) {
  std::string all;
  while (all.find(text) == std::string::npos) {
    const auto piece = co_await stream->read(4096);
    if (!piece || piece->empty()) break;
    all += *piece;
  }
  co_return all;
}

// Drops the Date fields, which change.
std::string withoutDate(std::string text) {
  for (std::size_t at = text.find("Date: "); at != std::string::npos; at = text.find("Date: ")) {
    text.erase(at, text.find("\r\n", at) + 2 - at);
  }
  return text;
}

class ServerTest : public testing::Test {
 protected:
  ServerTest() : server_(loop_.get_executor(), testRouter(), smallLimits()) {}
  ~ServerTest() override { async::runUntilDone(loop_, server_.stop(0s)); }

  async::StreamPtr connect() {
    auto [ours, theirs] = async::memoryStreams(loop_.get_executor());
    server_.serve(std::move(theirs));
    return std::move(ours);
  }

  static Task<std::string> sendAll(async::ByteStream* stream, std::string bytes) {
    ignore(co_await stream->write(std::move(bytes)), "the server may close early");
    co_return co_await readToEnd(stream);
  }

  // Everything the server answers to `bytes` until it closes (for idleness, at the latest).
  std::string answer(std::string bytes) {
    const async::StreamPtr stream = connect();
    return withoutDate(async::runUntilDone(loop_, sendAll(stream.get(), std::move(bytes))));
  }

  int statusOf(std::string bytes) {
    const std::string text = answer(std::move(bytes));
    return text.starts_with("HTTP/1.1 ") ? std::stoi(text.substr(9, 3)) : 0;
  }

  async::Loop loop_;
  Server server_;
};

TEST_F(ServerTest, AnswersAndKeepsTheConnection) {
  EXPECT_EQ(answer("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 12\r\n\r\nhello /hello");
}

TEST_F(ServerTest, ServesAPipelineInOrder) {
  const std::string text = answer(
      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none"
      "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\ntw\r\n1;x=y\r\no\r\n0\r\n\r\n"
      "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  const std::size_t first = text.find("\r\n\r\none");
  const std::size_t second = text.find("\r\n\r\ntwo");
  const std::size_t third = text.find("\r\n\r\nhello");
  EXPECT_LT(first, second);
  EXPECT_LT(second, third);
  EXPECT_NE(third, std::string::npos) << text;
  EXPECT_NE(text.find("Connection: close"), std::string::npos);
}

TEST_F(ServerTest, TakesRequestsByteByByte) {
  const async::StreamPtr stream = connect();
  const std::string bytes = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
  for (const char byte : bytes) ASSERT_TRUE(async::runUntilDone(loop_, stream->write(std::string(1, byte))));
  EXPECT_NE(async::runUntilDone(loop_, readToEnd(stream.get())).find("abc"), std::string::npos);
}

TEST_F(ServerTest, StreamsInChunks) {
  const std::string text = answer("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_NE(text.find("Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"), std::string::npos) << text;
}

TEST_F(ServerTest, StreamsToHttp10WithoutChunks) {
  const std::string text = answer("GET /stream HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(text.ends_with("\r\n\r\nabc")) << text;
  EXPECT_NE(text.find("Connection: close"), std::string::npos);
}

TEST_F(ServerTest, CutsOffAStreamThatWasNotEnded) {
  const std::string text = answer("GET /cut HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(text.ends_with("4\r\nhalf\r\n")) << text;
}

TEST_F(ServerTest, HeadHasTheHeaderOnly) {
  const std::string text = answer("HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_NE(text.find("Content-Length: 12"), std::string::npos);
  EXPECT_TRUE(text.ends_with("\r\n\r\n")) << text;
}

TEST_F(ServerTest, SaysContinueWhenTheHandlerReads) {
  const async::StreamPtr stream = connect();
  ASSERT_TRUE(async::runUntilDone(
      loop_, stream->write("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")));
  EXPECT_EQ(async::runUntilDone(loop_, readUntil(stream.get(), "\r\n\r\n")), "HTTP/1.1 100 Continue\r\n\r\n");
  ASSERT_TRUE(async::runUntilDone(loop_, stream->write("ok")));
  EXPECT_TRUE(async::runUntilDone(loop_, readToEnd(stream.get())).ends_with("ok"));
}

TEST_F(ServerTest, DoesNotAskForABodyNobodyWants) {
  const std::string text =
      answer("POST /ignore HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_TRUE(text.starts_with("HTTP/1.1 204 ")) << text;
}

TEST_F(ServerTest, SkipsABodyThatTheHandlerLeft) {
  const std::string text = answer(
      "POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345"
      "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_NE(text.find("hello /hello"), std::string::npos) << text;
}

TEST_F(ServerTest, RefusesWhatIsTooLarge) {
  const std::string large(200, 'x');
  EXPECT_EQ(statusOf("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 200\r\n\r\n" + large), 413);
  EXPECT_EQ(
      statusOf("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nc8\r\n" + large + "\r\n0\r\n\r\n"),
      413);
  EXPECT_EQ(statusOf("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999\r\n\r\n"), 413);
  EXPECT_EQ(statusOf("GET /hello HTTP/1.1\r\nHost: a\r\nX: " + std::string(2000, 'x') + "\r\n\r\n"), 431);
}

TEST_F(ServerTest, RefusesMalformedRequests) {
  const char* const requests[] = {
      "nonsense\r\n\r\n",
      "GET /hello\r\n\r\n",
      "GET  /hello HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET hello HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET /hello HTTP/1.1\r\n\r\n",
      "GET /hello HTTP/1.1\r\nHost a\r\n\r\n",
      "GET /hello HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
      "GET /hello HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
      "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
      "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n\r\n",
      "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
      "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
      "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
      "GET /hello%zz HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET /hello?a=%0 HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET /hello/../hello HTTP/1.1\r\nHost: a\r\n\r\n",
      "\x16\x03\x01\x02\x01\x01\xfc\x03\x03 a TLS greeting\r\n\r\n",
  };
  for (const char* const request : requests) EXPECT_EQ(statusOf(request), 400) << request;
  EXPECT_EQ(statusOf("GET /hello HTTP/2.0\r\nHost: a\r\n\r\n"), 505);
}

TEST_F(ServerTest, NamesWhatIsMissing) {
  const std::string text = answer("GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(text.starts_with("HTTP/1.1 404 Not Found\r\n"));
  EXPECT_TRUE(text.ends_with("there is nothing at '/nowhere'"));
  const std::string method = answer("DELETE /hello HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(method.starts_with("HTTP/1.1 405 "));
  EXPECT_NE(method.find("Allow: GET\r\n"), std::string::npos) << method;
  EXPECT_EQ(statusOf("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n"), 500);
}

TEST_F(ServerTest, TakesAbsoluteTargetsAndDoubledSlashes) {
  EXPECT_EQ(statusOf("GET http://a:80/hello HTTP/1.1\r\nHost: a\r\n\r\n"), 200);
  EXPECT_EQ(statusOf("GET //hello/ HTTP/1.1\r\nHost: a\r\n\r\n"), 200);
  EXPECT_EQ(statusOf("\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n"), 200);
}

TEST_F(ServerTest, GivesUpOnAClientThatStopsInsideARequest) {
  EXPECT_EQ(statusOf("GET /hello HTTP/1.1\r\nHo"), 408);
  EXPECT_EQ(statusOf("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab"), 408);
  EXPECT_EQ(answer(""), "");
}

TEST_F(ServerTest, CancelsAHandlerWhoseClientGoesAway) {
  async::StreamPtr stream = connect();
  ASSERT_TRUE(async::runUntilDone(loop_, stream->write("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")));
  ignore(async::runUntilDone(loop_, async::sleep(2ms)), "it may not be cancelled");
  EXPECT_EQ(waiting, "waiting");
  stream.reset();
  ignore(async::runUntilDone(loop_, async::sleep(2ms)), "it may not be cancelled");
  EXPECT_EQ(waiting, "cancelled");
}

Task<std::string> stopAndRead(Server* server, async::ByteStream* busy) {
  co_await server->stop(5ms);
  co_return co_await readToEnd(busy);
}

TEST_F(ServerTest, StoppingClosesIdleConnectionsAndLetsBusyOnesAnswer) {
  const async::StreamPtr idle = connect();
  const async::StreamPtr busy = connect();
  ASSERT_TRUE(async::runUntilDone(loop_, busy->write("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")));
  ignore(async::runUntilDone(loop_, async::sleep(2ms)), "it may not be cancelled");
  EXPECT_EQ(server_.connections(), 2U);
  const std::string text = async::runUntilDone(loop_, stopAndRead(&server_, busy.get()));
  EXPECT_TRUE(text.starts_with("HTTP/1.1 503 ")) << text;
  EXPECT_TRUE(text.ends_with("stopping"));
  EXPECT_EQ(server_.connections(), 0U);
}

TEST_F(ServerTest, AGateAnswersInPlaceOfTheHandler) {
  server_.setGate([](const Request& request) -> std::optional<Response> {
    if (request.path == "/hello") return textResponse(503, "recovering");
    return std::nullopt;
  });
  EXPECT_EQ(statusOf("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"), 503);
  EXPECT_EQ(statusOf("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n"), 200);
}

TEST_F(ServerTest, TellsWhatItServed) {
  std::vector<std::string> served;
  server_.onServed([&served](const Served& one) {
    served.push_back(std::string(one.method) + " " + std::string(one.path) + " " + std::to_string(one.status));
  });
  answer("GET /hello?x=1 HTTP/1.1\r\nHost: a\r\n\r\nGET /no HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(served, (std::vector<std::string>{"GET /hello 200", "GET /no 404"}));
}

}  // namespace
}  // namespace gantry::http
