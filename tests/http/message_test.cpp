#include "http/message.hpp"

#include <gtest/gtest.h>

namespace gantry::http {
namespace {

TEST(Headers, CompareNamesWithoutCase) {
  Headers headers{{"Content-Type", "text/plain"}, {"X-A", "1"}, {"x-a", "2"}};
  EXPECT_EQ(headers.find("content-type"), "text/plain");
  EXPECT_EQ(headers.find("X-a"), "1");
  headers.set("x-A", "3");
  EXPECT_EQ(headers.find("X-A"), "3");
  EXPECT_EQ(headers.all().size(), 2U);
  EXPECT_FALSE(headers.has("Accept"));
}

TEST(PercentDecode, DecodesAndRefusesWhatIsNoEscape) {
  EXPECT_EQ(*percentDecode("a%20b%2Fc+d"), "a b/c+d");
  EXPECT_EQ(*percentDecode("a+b", true), "a b");
  EXPECT_EQ(*percentDecode("%e4%F6"), "\xe4\xf6");
  EXPECT_EQ(*percentDecode(""), "");
  for (const char* const bad : {"%", "%4", "%zz", "a%", "%%41", "%-1", "%00", "% 41", "%4g"}) {
    EXPECT_FALSE(percentDecode(bad)) << bad;
  }
  EXPECT_EQ(percentDecode("x%zzy").error().message(), "'%zz' is not a percent escape");
}

TEST(PercentEncode, ComesBackAsItWas) {
  const std::string text = "/a b%?&=ä~-._\n";
  EXPECT_EQ(percentEncode("a/b c"), "a%2Fb%20c");
  EXPECT_EQ(*percentDecode(percentEncode(text)), text);
}

TEST(ParseQuery, TakesTheLastOfTwoAndEmptyOnes) {
  const auto query = *parseQuery("a=1&&b=x%20y+z&a=2&flag&=nameless&e=");
  EXPECT_EQ(query.at("a"), "2");
  EXPECT_EQ(query.at("b"), "x y z");
  EXPECT_EQ(query.at("flag"), "");
  EXPECT_EQ(query.at("e"), "");
  EXPECT_FALSE(parseQuery("a=%"));
}

TEST(ErrorResponse, HasTheStatusOfTheCodeAndTheSentence) {
  const Response response = errorResponse(Error(Code::NotFound, "no container 'web'"));
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.body, "no container 'web'");
  EXPECT_EQ(errorResponse(Error::invalid("cpus", "must be above 0")).status, 400);
  EXPECT_EQ(bodyErrorResponse(Error(Code::Exhausted, "too large")).status, 413);
}

}  // namespace
}  // namespace gantry::http
