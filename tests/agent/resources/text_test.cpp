#include <gtest/gtest.h>

#include "agent/resources/resources.hpp"

namespace gantry::agent::resources {
namespace {

// "name(role)=value" of each entry.
std::vector<std::string> resourcesIn(std::string_view text) {
  const auto parsed = parseResources(text);
  if (!parsed) return {"refused: " + parsed.error().message()};
  std::vector<std::string> result;
  for (const auto& entry : *parsed) {
    result.push_back(entry.name + (entry.role.empty() ? "" : "(" + entry.role + ")") + "=" + toString(entry.value));
  }
  return result;
}

std::string refusalOf(std::string_view text) {
  const auto parsed = parseResources(text);
  return parsed ? "accepted" : parsed.error().message();
}

TEST(ParseResources, ReadsAllKinds) {
  EXPECT_EQ(
      resourcesIn("cpus:4;mem(role):1024.5 ; ports:[31000-32000, 21000-22000];zones:{b, a};"),
      (std::vector<std::string>{"cpus=4", "mem(role)=1024.5", "ports=[21000-22000, 31000-32000]", "zones={a, b}"}));
  EXPECT_EQ(resourcesIn(""), std::vector<std::string>());
  EXPECT_EQ(resourcesIn("cpus(eng/prod):1;cpus:0"), (std::vector<std::string>{"cpus(eng/prod)=1", "cpus=0"}));
  EXPECT_EQ(resourcesIn("ports:[]"), std::vector<std::string>{"ports=[]"});
}

TEST(ParseResources, NamesWhatIsWrong) {
  EXPECT_EQ(refusalOf("cpus"), "'cpus': has no ':' between name and value");
  EXPECT_EQ(refusalOf("cpus:x"), "'cpus:x': the value is no number, no '[ranges]' and no '{set}'");
  EXPECT_EQ(refusalOf("cpus:"), "'cpus:': the value is empty");
  EXPECT_EQ(refusalOf(":1"), "':1': has no name");
  EXPECT_EQ(refusalOf("cpus:-1"), "'cpus:-1': the value is negative");
  EXPECT_EQ(refusalOf("cpus:nan"), "'cpus:nan': the value is not a number");
  EXPECT_EQ(refusalOf("ports:[1-2"), "'ports:[1-2': the value has brackets that enclose nothing");
  EXPECT_EQ(refusalOf("ports:[2-1]"), "'ports:[2-1]': the value has the range '2-1', which ends before it begins");
  EXPECT_EQ(refusalOf("ports:[7]"), "'ports:[7]': the value has '7' where a range like '1-9' should be");
  EXPECT_EQ(refusalOf("ports:[a-b]"), "'ports:[a-b]': the value has 'a' where a whole number should be");
  EXPECT_EQ(refusalOf("zones:{a,,b}"), "'zones:{a,,b}': the value has an empty item");
  EXPECT_EQ(refusalOf("cpus(x:1"), "'cpus(x:1': the role's bracket is not closed");
  EXPECT_EQ(refusalOf("cpus():1"), "'cpus():1': the role: must not be empty");
  EXPECT_EQ(refusalOf("a:1;a:{b}"), "'a:{b}': is of another type than the 'a' before it");
}

TEST(ParseAttributes, ReadsTextToo) {
  const auto parsed = parseAttributes("rack: a b;level:10;keys:[1-2];url:http://x:1");
  ASSERT_TRUE(parsed) << parsed.error().message();
  ASSERT_EQ(parsed->size(), 4U);
  EXPECT_EQ(std::get<std::string>((*parsed)[0].value), "ab");
  EXPECT_EQ(std::get<Scalar>((*parsed)[1].value).value(), 10);
  EXPECT_EQ(std::get<Ranges>((*parsed)[2].value), Ranges({{1, 2}}));
  EXPECT_EQ(std::get<std::string>((*parsed)[3].value), "http://x:1");
  EXPECT_EQ(parseAttributes("a:{b}").error().message(), "'a:{b}': an attribute cannot be a set");
}

TEST(CheckRole, KnowsTheRulesOfMesos) {
  for (const char* good : {"*", "eng", "eng/prod", "a-b", "a*"}) EXPECT_TRUE(checkRole(good, "role")) << good;
  for (const char* bad : {"", ".", "..", "-a", "/a", "a/", "a//b", "a/..", "a/-b", "a/*", "a b", "a\\b"}) {
    EXPECT_FALSE(checkRole(bad, "role")) << bad;
  }
}

TEST(WithHost, OffersWhatMesosOffers) {
  const auto texts = [](const std::vector<NamedValue>& entries) {
    std::vector<std::string> result;
    for (const auto& entry : entries) result.push_back(entry.name + "=" + toString(entry.value));
    return result;
  };
  EXPECT_EQ(texts(withHost({}, {8, 16384.7, 102400})),
            (std::vector<std::string>{"cpus=8", "mem=15360", "disk=97280", "ports=[31000-32000]"}));
  EXPECT_EQ(texts(withHost(*parseResources("mem:1;ports:[]"), {2, 1000, 9000})),
            (std::vector<std::string>{"mem=1", "ports=[]", "cpus=2", "disk=4500"}));
}

TEST(ReadHost, FindsSomething) {
  const auto host = readHost("/");
  ASSERT_TRUE(host) << host.error().message();
  EXPECT_GE(host->cpus, 1U);
  EXPECT_GT(host->memoryMegabytes, 16);
  EXPECT_GT(host->diskMegabytes, 16);
  EXPECT_FALSE(readHost("/nowhere"));
}

}  // namespace
}  // namespace gantry::agent::resources
