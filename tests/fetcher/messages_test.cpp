#include "fetcher/messages.hpp"

#include <gtest/gtest.h>

namespace gantry::fetcher {
namespace {

oci::Digest digest(char c) {
  return oci::Digest::parse("sha256:" + std::string(64, c)).value();
}

Image image() {
  Image made;
  made.reference = "docker://h/a:t";
  made.manifestDigest = digest('1');
  made.configDigest = digest('2');
  made.size = Bytes{77};
  made.layers = {{digest('3'), digest('4'), digest('5'), "/s/layers/3"}};
  made.configJson = R"({"os":"linux"})";
  return made;
}

TEST(Messages, ARequestSurvivesTheWay) {
  PullRequest request;
  request.reference = "a/b";
  request.store = "/s";
  request.platform = oci::parsePlatform("linux/arm/v7").value();
  request.insecureHosts = {"h:1"};
  request.credentials = Credentials{"u", "p\"\n"};
  request.caFile = "/etc/own.pem";
  request.limits.entries = 5;
  const auto read = parsePullRequest(toJson(request));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(*read, request);
}

TEST(Messages, ARequestNamesWhatIsWrong) {
  const auto failure = [](std::string_view json) { return parsePullRequest(json).error().message(); };
  EXPECT_EQ(failure(R"({"store":"/s"})"), "reference: is missing");
  EXPECT_EQ(failure(R"({"reference":"a","store":"s"})"), "store: is not an absolute path");
  EXPECT_EQ(failure(R"({"reference":"a","store":"/s","refrence":1})"), "refrence: is not known");
  EXPECT_EQ(failure(R"({"reference":5,"store":"/s"})"), "reference: is not a string");
  EXPECT_EQ(failure(R"({"reference":"a","store":"/s","limits":{"entries":-1}})"), "limits.entries: is not a number");
  EXPECT_EQ(failure("[]"), "request: is no JSON object");
}

TEST(Messages, AnswersSurviveTheWay) {
  const Progress progress{digest('a'), Progress::Step::Unpack, Bytes{5}, Bytes{0}};
  EXPECT_EQ(std::get<Progress>(*parseAnswer(toJson(Answer(progress)))), progress);
  EXPECT_EQ(std::get<Image>(*parseAnswer(toJson(Answer(image())))), image());
  const auto error = parseAnswer(toJson(Answer(Error(Code::NotFound, "no\xff such"))));
  ASSERT_TRUE(error);
  EXPECT_EQ(std::get<Error>(*error).code(), Code::NotFound);
}

TEST(Messages, NonsenseIsAnError) {
  EXPECT_FALSE(parseAnswer(""));
  EXPECT_FALSE(parseAnswer("{}"));
  EXPECT_FALSE(parseAnswer(R"({"image":{"reference":"x"}})"));
  EXPECT_EQ(parseImage(imageToJson(image())).value(), image());
}

}  // namespace
}  // namespace gantry::fetcher
