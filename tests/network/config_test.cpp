#include "network/config.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "kernel/file.hpp"

namespace gantry::network {
namespace {

std::string whyNot(std::string_view text) {
  const auto network = parseNetwork(text);
  return network ? "it was accepted" : network.error().message();
}

TEST(NetworkConfig, ReadsAListAndASinglePlugin) {
  const auto list = parseNetwork(R"({"cniVersion":"1.0.0","name":"web","plugins":[
    {"type":"bridge","ipam":{"type":"host-local"}},
    {"type":"portmap","capabilities":{"portMappings":true,"bandwidth":false}}]})");
  ASSERT_TRUE(list) << list.error().message();
  EXPECT_EQ(list->name, "web");
  EXPECT_EQ(list->version, "1.0.0");
  ASSERT_EQ(list->plugins.size(), 2U);
  EXPECT_EQ(list->plugins[1].capabilities, std::set<std::string>{"portMappings"});
  EXPECT_TRUE(list->hasCapability("portMappings"));
  EXPECT_FALSE(list->hasCapability("bandwidth"));
  EXPECT_EQ(*parseNetwork(formatNetwork(*list)), *list);

  const auto single = parseNetwork(R"({"name":"old","type":"macvlan","master":"eth0"})");
  ASSERT_TRUE(single) << single.error().message();
  EXPECT_EQ(single->version, "0.2.0");
  EXPECT_EQ(single->plugins.at(0).type, "macvlan");
}

TEST(NetworkConfig, RefusesWhatCouldLeadElsewhere) {
  // CVE-2021-20206: the type is the name of a program that runs as root.
  EXPECT_EQ(whyNot(R"({"name":"x","type":"../../bin/sh"})"),
            "plugin.type: '../../bin/sh' is not a program's name but a path");
  EXPECT_EQ(whyNot(R"({"name":"x","plugins":[{"type":"bridge"},{"type":".."}]})"),
            "plugins[1].type: '..' is not a program's name but a path");
  EXPECT_TRUE(whyNot(R"({"name":"../x","type":"bridge"})").starts_with("name: '../x' is no network name"));
  EXPECT_EQ(whyNot(R"({"name":"x","plugins":[]})"), "plugins: must be a list of at least one");
  EXPECT_EQ(whyNot(R"({"name":"x","type":7})"), "plugin: type: must be a text");
  EXPECT_EQ(whyNot("[]"), "is not a JSON object");
  EXPECT_EQ(whyNot("{\"name\":"), "is not a JSON object");
  std::string deep = R"({"name":"x","type":"bridge","a":)";
  for (int level = 0; level < 1000; ++level) deep += "[";
  EXPECT_EQ(whyNot(deep), "is nested too deeply");
}

TEST(CniContainerId, KeepsPlainIdsAndEscapesOthersApart) {
  EXPECT_EQ(cniContainerId("web-1_a"), "web-1_a");
  EXPECT_EQ(cniContainerId("parent.child"), "parent.child");
  EXPECT_EQ(cniContainerId("web@1"), "x-web_401");
  EXPECT_EQ(cniContainerId("-web"), "x--web");
  EXPECT_NE(cniContainerId("x-web_401"), cniContainerId("web@1")) << "nobody can ask for another one's escaped id";
}

class NetworkDirectory : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(::mkdtemp(path_.data()), nullptr); }
  void TearDown() override { EXPECT_TRUE(kernel::removeTree(path_)); }
  void put(const char* name, const std::string& text) { ASSERT_TRUE(kernel::replaceFile(path_ + "/" + name, text)); }

  std::string path_ = testing::TempDir() + "gantry-cni-XXXXXX";
};

TEST_F(NetworkDirectory, HasWhatItsFilesSay) {
  put("10-a.conflist", R"({"name":"a","plugins":[{"type":"bridge"}]})");
  put("20-b.conf", R"({"name":"b","type":"bridge"})");
  put("30-c.json", R"({"name":"c","type":"bridge"})");
  put("README", "not a configuration");
  const auto catalogue = loadNetworks(path_);
  ASSERT_TRUE(catalogue);
  EXPECT_EQ(catalogue->networks.size(), 3U);
  EXPECT_TRUE(catalogue->broken.empty());
  EXPECT_TRUE(loadNetworks(path_ + "/missing")->networks.empty());
}

TEST_F(NetworkDirectory, TakesNeitherOfTwoFilesWithTheSameName) {
  put("10-a.conf", R"({"name":"a","type":"bridge"})");
  put("20-a.conf", R"({"name":"a","type":"macvlan"})");
  put("30-b.conf", R"({"name":"b","type":"bridge"})");
  const auto catalogue = loadNetworks(path_);
  ASSERT_TRUE(catalogue);
  EXPECT_EQ(catalogue->find("a").error().message(),
            "there is no network 'a'; there is 'b'; '10-a.conf' cannot be used: '20-a.conf' has a network 'a' too; "
            "'20-a.conf' cannot be used: '10-a.conf' has a network 'a' too");
  EXPECT_TRUE(catalogue->find("b"));
}

TEST_F(NetworkDirectory, SaysWhatIsWrongWithAFileWhenItsNetworkIsMissed) {
  put("10-a.conf", "{");
  const auto catalogue = loadNetworks(path_);
  ASSERT_TRUE(catalogue);
  EXPECT_EQ(catalogue->find("a").error().message(),
            "there is no network 'a'; none is configured; '10-a.conf' cannot be used: is not a JSON object");
}

}  // namespace
}  // namespace gantry::network
