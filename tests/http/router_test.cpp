#include "http/router.hpp"

#include <gtest/gtest.h>

namespace gantry::http {
namespace {

Handler nothing() {
  return [](const RequestPtr&, const ResponderPtr&) -> async::Task<> { return async::never(); };
}

Router::Match find(const Router& router, std::string_view method, std::string_view path) {
  return router.find(method, *splitPath(path));
}

TEST(Router, FillsParametersAndPrefersLiterals) {
  Router router;
  router.add("GET", "/containers/{id}/logs", nothing());
  router.add("GET", "/containers/all/logs", nothing());
  const auto named = find(router, "GET", "/containers/a%2Fb/logs");
  ASSERT_NE(named.handler, nullptr);
  EXPECT_EQ(named.parameters.at("id"), "a/b");
  EXPECT_TRUE(find(router, "GET", "/containers/all/logs").parameters.empty());
  EXPECT_EQ(find(router, "GET", "/containers/a").handler, nullptr);
}

TEST(Router, SaysWhichMethodsAPathTakes) {
  Router router;
  router.add("GET", "/flags", nothing());
  router.add("POST", "/flags", nothing());
  const auto match = find(router, "DELETE", "/flags");
  EXPECT_EQ(match.handler, nullptr);
  EXPECT_EQ(match.allowed, (std::vector<std::string>{"GET", "POST"}));
  EXPECT_NE(find(router, "HEAD", "/flags").handler, nullptr);
}

TEST(Router, ASuffixMayBeLeftOut) {
  Router router;
  router.add("GET", "/state", nothing());
  router.add("GET", "/system/stats.json", nothing());
  router.add("GET", "/files/{name}", nothing());
  router.optionalSuffix(".json");
  EXPECT_NE(find(router, "GET", "/state.json").handler, nullptr);
  EXPECT_EQ(find(router, "POST", "/state.json").allowed, std::vector<std::string>{"GET"});
  EXPECT_NE(find(router, "GET", "/system/stats.json").handler, nullptr);
  EXPECT_EQ(find(router, "GET", "/system/stats").handler, nullptr);
  EXPECT_EQ(find(router, "GET", "/files/a.json").parameters.at("name"), "a.json");
  EXPECT_EQ(find(router, "GET", "/nothing.json").handler, nullptr);
}

TEST(Router, APrefixMayBeLeftOut) {
  Router router;
  router.add("POST", "/api/v1", nothing());
  router.optionalPrefix("/slave(1)");
  EXPECT_NE(find(router, "POST", "/slave(1)/api/v1").handler, nullptr);
  EXPECT_NE(find(router, "POST", "/slave%281%29//api/v1/").handler, nullptr);
  EXPECT_NE(find(router, "POST", "/api/v1").handler, nullptr);
  EXPECT_EQ(find(router, "POST", "/slave(2)/api/v1").handler, nullptr);
}

TEST(SplitPath, RefusesToClimb) {
  EXPECT_FALSE(splitPath("/a/../b"));
  EXPECT_FALSE(splitPath("/a/%2e%2E/b"));
  EXPECT_FALSE(splitPath("/a/./b"));
  EXPECT_EQ(*splitPath("//a//..b/"), (std::vector<std::string>{"a", "..b"}));
  EXPECT_TRUE(splitPath("/")->empty());
}

}  // namespace
}  // namespace gantry::http
