#include "oci/json.hpp"

#include <gtest/gtest.h>

namespace gantry::oci {

struct Pair {
  std::string name;
  std::uint16_t number = 0;
};

static void read(const JsonValue& json, Pair& pair) {
  json.required("name", pair.name);
  json.member("number", pair.number);
}

namespace {

std::string errorOf(std::string_view text) {
  const auto result = parseJson<Pair>(text);
  return result ? "none" : result.error().message();
}

TEST(Json, ReadsMembersAndTreatsNullAsAbsent) {
  const auto pair = parseJson<Pair>(R"({"name": "a", "number": null, "more": [1]})");
  ASSERT_TRUE(pair);
  EXPECT_EQ(pair->name, "a");
  EXPECT_EQ(pair->number, 0);
}

TEST(Json, NamesTheMemberAndTheReason) {
  EXPECT_EQ(errorOf(R"({})"), "name: is missing");
  EXPECT_EQ(errorOf(R"({"name": 1})"), "name: is a number, not a string");
  EXPECT_EQ(errorOf(R"({"name": "a\u0000b"})"), "name: holds a NUL character");
  EXPECT_EQ(errorOf(R"({"name": "a", "number": 70000})"), "number: 70000 is not between 0 and 65535");
  EXPECT_EQ(errorOf(R"({"name": "a", "number": -1})"), "number: -1 is not between 0 and 65535");
  EXPECT_EQ(errorOf(R"({"name": "a", "number": 1.5})"), "number: is a fraction, not an integer");
  EXPECT_EQ(errorOf(R"([])"), "is an array, not an object");
}

TEST(Json, RefusesWhatIsNotJson) {
  EXPECT_EQ(errorOf("").find("is not JSON: "), 0u);
  EXPECT_EQ(errorOf("{\"name\": \"a\"").find("is not JSON: parse error"), 0u);
  EXPECT_EQ(errorOf("{\"name\": \"\xff\"}").find("is not JSON: "), 0u);
}

TEST(Json, RefusesDeepNestingBeforeParsingIt) {
  const std::string deep(1'000'000, '[');
  EXPECT_EQ(errorOf(deep), "is nested deeper than 128 levels");
  std::string objects;
  for (int i = 0; i < 200; ++i) objects += "{\"a\":";
  EXPECT_EQ(errorOf(objects), "is nested deeper than 128 levels");
  EXPECT_EQ(errorOf(R"({"name": ")" + std::string(500, '[') + "\\\"" + std::string(500, '{') + "\"}"), "none");
}

TEST(JsonWriter, WritesWhatParsesBackAndLeavesEmptyThingsOut) {
  JsonWriter json;
  json.open('{').member("name", "a\"\n\x01").optional("none", std::string()).optional("number", 7);
  json.member("list", std::vector<std::string>{"x", "y"}).member("map", std::map<std::string, std::string>{{"", "e"}});
  json.open('{', "empty").close().close();
  EXPECT_EQ(json.text(), R"({"name":"a\"\n\u0001","number":7,"list":["x","y"],"map":{"":"e"},"empty":{}})");
}

TEST(JsonWriter, ReplacesBytesThatAreNotUtf8) {
  JsonWriter json;
  json.value("a\xff");
  EXPECT_EQ(json.text(), "\"a\xef\xbf\xbd\"");
}

TEST(JsonWriter, IndentsWhenAsked) {
  JsonWriter json(2);
  json.open('{').member("a", 1).open('[', "b").value("c").close().open('[', "d").close().close();
  EXPECT_EQ(json.text(), "{\n  \"a\": 1,\n  \"b\": [\n    \"c\"\n  ],\n  \"d\": []\n}");
}

}  // namespace
}  // namespace gantry::oci
