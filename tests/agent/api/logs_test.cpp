#include <fstream>
#include <nlohmann/json.hpp>

#include "base/base64.hpp"
#include "tests/agent/api/served.hpp"

namespace gantry::agent::api {
namespace {

using nlohmann::json;
using Step = std::function<void(const std::string&)>;

class ContainerLogs : public Served {
 protected:
  ContainerLogs() { launch("web"); }

  void append(const std::string& name, const std::string& text) {
    std::ofstream(directory_ + "/web/" + name, std::ios::app) << text;
  }
  static async::Task<> appendLate(ContainerLogs* test) {
    ignore(co_await async::sleep(30ms), "nobody cancels it");
    test->append("stderr", "late");
    ignore(co_await async::sleep(30ms), "nobody cancels it");
    test->manager_.end("web", 0);
  }
  // "1:" and "2:" before what came on standard output and error; `onRecord` sees all so far.
  static async::Task<Result<std::string>> readLogs(http::Endpoint endpoint, std::string query, Step onRecord) {
    http::ClientRequest request;
    request.target = "/gantry/v1/containers/web/logs" + query;
    CO_TRY(const auto exchange, co_await http::exchange(endpoint, std::move(request)));
    CO_TRY(const auto head, co_await exchange->response());
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.headers.find("Content-Type"), "application/recordio");
    http::RecordReader records(exchange->body());
    std::string text;
    while (true) {
      CO_TRY(const auto record, co_await records.next());
      if (!record) co_return text;
      const json io = json::parse(*record);
      text += io["data"]["type"] == "STDOUT" ? "1:" : "2:";
      text += *fromBase64(io["data"]["data"].get<std::string>());
      if (onRecord) onRecord(text);
    }
  }
  std::string logs(std::string query = "", Step onRecord = {}) {
    const auto text = run(readLogs(endpoint_, std::move(query), std::move(onRecord)));
    EXPECT_TRUE(text) << (text ? "" : text.error().message());
    return text ? *text : "";
  }
};

TEST_F(ContainerLogs, AreGivenAsTheyAre) {
  EXPECT_EQ(logs(), "");
  append("stdout", "a\nb\n");
  append("stderr", "c\n");
  EXPECT_EQ(logs(), "1:a\nb\n2:c\n");
  EXPECT_EQ(logs("?stream=stderr"), "2:c\n");
  EXPECT_EQ(logs("?tail=1"), "1:b\n2:c\n");
  EXPECT_EQ(get("/gantry/v1/containers/nobody/logs").status, 404);
  EXPECT_EQ(get("/gantry/v1/containers/web/logs?tail=x").status, 400);
  EXPECT_EQ(get("/gantry/v1/containers/web/logs?stream=x").status, 400);
}

TEST_F(ContainerLogs, AreFollowedAcrossRotationUntilTheEnd) {
  append("stdout", "one ");
  const Step step = [this](const std::string& soFar) {
    if (soFar.ends_with("one ")) {
      append("stdout", "two ");
      std::rename((directory_ + "/web/stdout").c_str(), (directory_ + "/web/stdout.1").c_str());
      append("stdout", "three ");
    } else if (soFar.ends_with("three ")) {
      append("stdout", "last");
      manager_.end("web", 0);
    }
  };
  EXPECT_EQ(logs("?follow=true", step), "1:one 1:two 1:three 1:last");
}

TEST_F(ContainerLogs, OfAContainerThatNeverStopsWritingEnd) {
  append("stdout", std::string(100'000, 'x'));
  append("stderr", "problem");
  std::size_t pieces = 0;
  const Step step = [this, &pieces](const std::string&) {
    if (++pieces < 100) append("stdout", std::string(100'000, 'x'));
  };
  const std::string text = logs("", step);
  EXPECT_LT(pieces, 100U);
  EXPECT_LT(text.find("2:problem"), 2 * (32U << 10U)) << "neither stream waits for the other";
}

TEST_F(ContainerLogs, AreFollowedFromBeforeTheFirstByte) {
  async::Scope scope(loop_.get_executor());
  scope.spawn(appendLate(this));
  EXPECT_EQ(logs("?follow=true"), "2:late");
  async::runUntilDone(loop_, scope.join());
}

TEST_F(ContainerLogs, OfOneThatHasEndedEndAtOnce) {
  append("stdout", "x");
  manager_.end("web", 0);
  EXPECT_EQ(logs("?follow=true"), "1:x");
}

}  // namespace
}  // namespace gantry::agent::api
