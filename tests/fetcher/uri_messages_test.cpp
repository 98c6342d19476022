#include "fetcher/uri_messages.hpp"

#include <gtest/gtest.h>

namespace gantry::fetcher {
namespace {

UriRequest full() {
  UriRequest request;
  request.uris = {{.value = "https://example.org/a.tar.gz", .cache = true, .outputFile = "lib/a.tar.gz"},
                  {.value = "/usr/bin/tool", .executable = true, .extract = false}};
  request.sandbox = "/var/lib/gantry/sandbox";
  request.user = {.uid = 1000, .gid = 100, .groups = {100, 27}};
  request.cache = {.directory = "/var/lib/gantry/fetch", .size = Bytes::mebi(5)};
  request.frameworksHome = "/opt/frameworks";
  request.stallTimeout = std::chrono::seconds(7);
  request.caFile = "/etc/ssl/own.pem";
  request.limits = {.unpacked = Bytes::mebi(1), .entries = 10};
  return request;
}

std::string refusal(std::string_view json) {
  const auto parsed = parseUriRequest(json);
  return parsed ? "accepted" : parsed.error().message();
}

TEST(UriMessages, ARequestSurvivesTheWayThroughJson) {
  const auto parsed = parseUriRequest(toJson(full()));
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_EQ(*parsed, full());
  EXPECT_TRUE(isUriRequest(toJson(full())));
  EXPECT_FALSE(isUriRequest(R"({"reference": "a", "store": "/b"})"));
}

TEST(UriMessages, AnswersSurviveTheWayThroughJson) {
  const UriProgress progress{.uri = 3, .step = UriProgress::Step::Unpack, .done = Bytes{5}, .total = Bytes{7}};
  EXPECT_EQ(std::get<UriProgress>(*parseUriAnswer(toJson(UriAnswer(progress)))), progress);
  const FetchedUris fetched{.transferred = Bytes{9}, .fromCache = 1, .cacheUsed = Bytes{11}};
  EXPECT_EQ(std::get<FetchedUris>(*parseUriAnswer(toJson(UriAnswer(fetched)))), fetched);
  const auto error = std::get<Error>(*parseUriAnswer(toJson(UriAnswer(Error(Code::Timeout, "'u': stalled")))));
  EXPECT_EQ(error.code(), Code::Timeout);
  EXPECT_EQ(error.message(), "'u': stalled");
}

TEST(UriMessages, ARefusalNamesTheMember) {
  EXPECT_EQ(refusal("[]"), "request: is no JSON object");
  EXPECT_EQ(refusal(R"({"uris": [], "user": {"uid": 1, "gid": 1}})"), "sandbox: is not an absolute path");
  EXPECT_EQ(refusal(R"({"uris": [], "sandbox": "/s"})"), "user: is missing");
  EXPECT_EQ(refusal(R"({"uris": [], "sandbox": "/s", "user": {"uid": 1}})"), "user.gid: is missing");
  EXPECT_EQ(refusal(R"({"uris": [], "sandbox": "/s", "user": {"uid": -1, "gid": 1}})"), "user.uid: is not a number");
  EXPECT_EQ(refusal(R"({"uris": [], "sandbox": "/s", "user": {"uid": 4294967296, "gid": 1}})"),
            "user.uid: is too large");
  EXPECT_EQ(refusal(R"({"uris": [{"value": "/a"}, {}], "sandbox": "/s", "user": {"uid": 1, "gid": 1}})"),
            "uris[1].value: is missing");
  EXPECT_EQ(refusal(R"({"uris": [{"value": "/a", "mode": 1}], "sandbox": "/s", "user": {"uid": 1, "gid": 1}})"),
            "uris[0].mode: is not known");
  EXPECT_EQ(refusal(R"({"uris": [], "sandbox": "/s", "user": {"uid": 1, "gid": 1}, "stall_timeout": 0})"),
            "stall_timeout: is not from 1 to 1000000000 seconds");
  EXPECT_EQ(refusal(R"({"uris": [], "sandbox": "/s", "user": {"uid": 1, "gid": 1}, "cache": {"directory": "c"}})"),
            "cache.directory: is not an absolute path");
}

TEST(UriMessages, PasswordsAreLeftOut) {
  EXPECT_EQ(withoutPassword("https://user:secret@host/a?b=c:d@e"), "https://user:***@host/a?b=c:d@e");
  EXPECT_EQ(withoutPassword("ftp://user:se:c@ret@host"), "ftp://user:***@host");
  EXPECT_EQ(withoutPassword("https://user@host:80/a"), "https://user@host:80/a");
  EXPECT_EQ(withoutPassword("https://host/a:b@c"), "https://host/a:b@c");
  EXPECT_EQ(withoutPassword("/a:b@c"), "/a:b@c");
}

}  // namespace
}  // namespace gantry::fetcher
