#include <csignal>

#include "tests/agent/api/served.hpp"

namespace gantry::agent::api {
namespace {

using Chunk = Attachment::Chunk;
using Stream = Attachment::Stream;

const char* const kAttachOutput =
    R"({"type":"ATTACH_CONTAINER_OUTPUT","attach_container_output":{"container_id":{"value":"web"}}})";
const char* const kSession = R"({"type":"LAUNCH_NESTED_CONTAINER_SESSION","launch_nested_container_session":{
    "container_id":{"value":"s","parent":{"value":"web"}},"command":{"value":"sh"}}})";

std::string inputRecord(const std::string& rest) {
  return http::encodeRecord(R"({"type":"ATTACH_CONTAINER_INPUT","attach_container_input":)" + rest + "}");
}
std::string idRecord(const std::string& id) {
  return inputRecord(R"({"type":"CONTAINER_ID","container_id":{"value":")" + id + "\"}}");
}
std::string ioRecord(const std::string& io) {
  return inputRecord(R"({"type":"PROCESS_IO","process_io":)" + io + "}");
}
std::string dataRecord(const std::string& base64) {
  return ioRecord(R"({"type":"DATA","data":{"type":"STDIN","data":")" + base64 + "\"}}");
}

std::vector<std::string> recordsOf(const std::string& body) {
  http::RecordDecoder decoder;
  decoder.feed(body);
  std::vector<std::string> records;
  while (true) {
    auto record = decoder.next();
    if (!record || !*record) return records;
    records.push_back(std::move(**record));
  }
}

http::ClientRequest jsonCall(std::string body) {
  http::ClientRequest request;
  request.method = "POST";
  request.target = "/api/v1";
  request.headers.set("Content-Type", "application/json");
  request.body = std::move(body);
  return request;
}

http::ClientRequest inputRequest(bool stream, std::string body) {
  http::ClientRequest request;
  request.method = "POST";
  request.target = "/api/v1";
  request.headers.set("Content-Type", "application/recordio");
  request.headers.set("Message-Content-Type", "application/json");
  request.body = std::move(body);
  request.streamBody = stream;
  return request;
}

class AttachedStreams : public Served {
 protected:
  AttachedStreams() : web_(launch("web")) {}

  http::Response sendInput(const std::string& records) { return send(inputRequest(false, records)); }
  static async::Task<Result<void>> inputIs(fakes::Manager::ContainerPtr container, std::string text) {
    while (container->input != text) {
      auto changed = co_await container->inputChanged.after(container->inputChanged.count());
      if (!changed) co_return std::move(changed).error();
    }
    co_return Result<void>();
  }
  // An input stream that has sent "a", which has arrived.
  static async::Task<Result<http::ExchangePtr>> openInput(AttachedStreams* test) {
    auto request = inputRequest(true, idRecord("web"));
    CO_TRY(auto exchange, co_await http::exchange(test->endpoint_, std::move(request)));
    std::string data = dataRecord("YQ==");
    CO_TRY_VOID(co_await exchange->write(std::move(data)));
    CO_TRY_VOID(co_await inputIs(test->web_, "a"));
    co_return exchange;
  }
  static async::Task<Result<int>> statusOf(http::ExchangePtr exchange) {
    CO_TRY(const auto head, co_await exchange->response());
    co_return head.status;
  }
  // Begins a call with a streamed answer, and leaves.
  static async::Task<Result<void>> comeAndGo(http::Endpoint endpoint, std::string body) {
    auto request = jsonCall(std::move(body));
    CO_TRY(const auto exchange, co_await http::exchange(endpoint, std::move(request)));
    CO_TRY(const int status, co_await statusOf(exchange));
    EXPECT_EQ(status, 200);
    exchange->close();
    co_return Result<void>();
  }

  fakes::Manager::ContainerPtr web_;
};

TEST_F(AttachedStreams, CarryOutputUntilItEnds) {
  web_->output.trySend(Chunk{Stream::Stdout, "hello\n"});
  web_->output.trySend(Chunk{Stream::Stderr, "x"});
  web_->output.close();
  const auto response =
      post("/api/v1", kAttachOutput, {{"Content-Type", "application/json"}, {"Accept", "application/recordio"}});
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.headers.find("Content-Type"), "application/recordio");
  EXPECT_EQ(response.headers.find("Message-Content-Type"), "application/json");
  EXPECT_EQ(recordsOf(response.body),
            (std::vector<std::string>{R"({"type":"DATA","data":{"type":"STDOUT","data":"aGVsbG8K"}})",
                                      R"({"type":"DATA","data":{"type":"STDERR","data":"eA=="}})"}));
}

TEST_F(AttachedStreams, CarryTheMessagesTypeForOldClients) {
  web_->output.close();
  const auto response = call(kAttachOutput);
  EXPECT_EQ(response.headers.find("Content-Type"), "application/json");
  EXPECT_FALSE(response.headers.has("Message-Content-Type"));
}

TEST_F(AttachedStreams, BeatWhileNothingHappens) {
  async::Scope scope(loop_.get_executor());
  auto later = [](fakes::Manager::ContainerPtr container) -> async::Task<> {
    ignore(co_await async::sleep(70ms), "nobody cancels it");
    container->output.close();
  };
  scope.spawn(later(web_));
  const auto records = recordsOf(call(kAttachOutput).body);
  ASSERT_GE(records.size(), 2U);
  EXPECT_NE(records[0].find("HEARTBEAT"), std::string::npos);
  EXPECT_NE(records[0].find(R"("nanoseconds":20000000)"), std::string::npos);
  async::runUntilDone(loop_, scope.join());
}

TEST_F(AttachedStreams, OfAnUnknownContainerAre404) {
  EXPECT_EQ(
      call(R"({"type":"ATTACH_CONTAINER_OUTPUT","attach_container_output":{"container_id":{"value":"x"}}})").status,
      404);
  EXPECT_EQ(sendInput(idRecord("x")).status, 404);
}

TEST_F(AttachedStreams, CarryASessionsOutput) {
  async::Scope scope(loop_.get_executor());
  auto play = [](fakes::Manager* manager) -> async::Task<> {
    while (!manager->knows("web.s")) ignore(co_await async::sleep(1ms), "nobody cancels it");
    manager->container("web.s")->output.trySend(Chunk{Stream::Stdout, "x"});
    manager->end("web.s", 0);
  };
  scope.spawn(play(&manager_));
  const auto response = call(kSession);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(recordsOf(response.body).at(0), R"({"type":"DATA","data":{"type":"STDOUT","data":"eA=="}})");
  EXPECT_TRUE(manager_.container("web.s")->signals.empty()) << "it ended by itself";
  async::runUntilDone(loop_, scope.join());
}

TEST_F(AttachedStreams, EndASessionWhoseClientGoesAway) {
  ASSERT_TRUE(run(comeAndGo(endpoint_, kSession)));
  const auto session = manager_.container("web.s");
  ASSERT_TRUE(run(session->ended.wait()));
  EXPECT_EQ(session->signals, std::vector<int>{SIGKILL});
}

TEST_F(AttachedStreams, OfASessionThatCannotStartSayWhy) {
  manager_.launchFailure = Error(Code::InvalidArgument, "exec: \"sh\": executable file not found in $PATH");
  const auto response = call(kSession);
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.body, "exec: \"sh\": executable file not found in $PATH");
}

TEST_F(AttachedStreams, TakeInputUntilTheClientEndsIt) {
  const std::string window = ioRecord(
      R"({"type":"CONTROL","control":{"type":"TTY_INFO","tty_info":{"window_size":{"rows":24,"columns":80}}}})");
  const std::string beat = ioRecord(R"({"type":"CONTROL","control":{"type":"HEARTBEAT"}})");
  const auto response = sendInput(idRecord("web") + dataRecord("bHMK") + window + beat + dataRecord(""));
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(web_->input, "ls\n<24x80><closed>");
}

TEST_F(AttachedStreams, TakeInputOfOneClientAtATime) {
  const auto first = run(openInput(this));
  ASSERT_TRUE(first);
  EXPECT_EQ(sendInput(idRecord("web")).status, 409);
  ASSERT_TRUE(run((*first)->endBody()));
  EXPECT_EQ(*run(statusOf(*first)), 200);
  EXPECT_EQ(sendInput(idRecord("web") + dataRecord("Yg==")).status, 200) << "it was given back";
  EXPECT_EQ(web_->input, "ab");
}

TEST_F(AttachedStreams, OfInputLeaveTheOutputToOthers) {
  const auto exchange = run(openInput(this));
  ASSERT_TRUE(exchange);
  web_->output.trySend(Chunk{Stream::Stdout, "hello\n"});
  // Long enough for somebody who reads to have read.
  ASSERT_TRUE(run(async::sleep(50ms)));
  web_->output.close();
  EXPECT_EQ(recordsOf(call(kAttachOutput).body),
            (std::vector<std::string>{R"({"type":"DATA","data":{"type":"STDOUT","data":"aGVsbG8K"}})"}));
  ASSERT_TRUE(run((*exchange)->endBody()));
  EXPECT_EQ(*run(statusOf(*exchange)), 200);
}

TEST_F(AttachedStreams, EndInputWhenTheContainerEnds) {
  const auto exchange = run(openInput(this));
  ASSERT_TRUE(exchange);
  manager_.end("web", 0);
  EXPECT_EQ(*run(statusOf(*exchange)), 200);
}

TEST_F(AttachedStreams, RefuseInputThatMakesNoSense) {
  EXPECT_EQ(sendInput("").status, 400);
  EXPECT_EQ(sendInput(http::encodeRecord(R"({"type":"GET_HEALTH"})")).status, 415);
  EXPECT_EQ(sendInput("-1\n{}").status, 400);
  EXPECT_EQ(sendInput("99999999999\n{}").status, 413);
  EXPECT_EQ(sendInput("100\n{}").status, 400);
  EXPECT_EQ(sendInput(dataRecord("YQ==")).status, 400) << "the first record names the container";
  EXPECT_EQ(sendInput(idRecord("web") + idRecord("web")).status, 400);
  EXPECT_EQ(sendInput(idRecord("web") + dataRecord("*")).status, 400);
  EXPECT_EQ(web_->input, "");
}

TEST_F(AttachedStreams, LeaveNothingBehindWhenClientsComeAndGo) {
  const auto descriptors = [] { return kernel::listDirectory("/proc/self/fd")->size(); };
  const std::size_t before = descriptors();
  for (int round = 0; round < 100; ++round) ASSERT_TRUE(run(comeAndGo(endpoint_, kAttachOutput)));
  for (int look = 0; look < 200 && descriptors() > before; ++look) ASSERT_TRUE(run(async::sleep(10ms)));
  EXPECT_LE(descriptors(), before);
}

}  // namespace
}  // namespace gantry::agent::api
