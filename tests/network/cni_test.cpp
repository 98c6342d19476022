// The chain of plug-ins, with shell scripts as plug-ins that write down how they were called.
#include "network/cni.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "async/run.hpp"
#include "kernel/file.hpp"
#include "network/cni_result.hpp"
#include "network/record.hpp"

namespace gantry::network {
namespace {

using namespace std::chrono_literals;

// Notes "<type> <command> <interface> <netns>" and its input, then does what <type>.<command> says.
constexpr const char* kPlugin = R"(#!/bin/sh
here=$(dirname $0); me=$(basename $0)
echo "$me $CNI_COMMAND $CNI_CONTAINERID $CNI_IFNAME $CNI_NETNS" >> $here/calls
cat > $here/$me.$CNI_COMMAND.input
[ -f $here/$me.$CNI_COMMAND ] && . $here/$me.$CNI_COMMAND
echo "{\"cniVersion\":\"1.0.0\",\"ips\":[{\"address\":\"10.1.2.3/24\"}],\"from\":\"$me\"}"
)";

class CniTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(::mkdtemp(path_.data()), nullptr);
    for (const char* name : {"one", "two"}) ASSERT_TRUE(kernel::replaceFile(path_ + "/" + name, kPlugin, 0755));
  }
  void TearDown() override { EXPECT_TRUE(kernel::removeTree(path_)); }

  void behave(const char* pluginAndCommand, const std::string& script) {
    ASSERT_TRUE(kernel::replaceFile(path_ + "/" + pluginAndCommand, script));
  }
  std::string text(const char* name) const { return kernel::readFile(path_ + "/" + name).value_or("(none)"); }
  CniAttachment attachment(const std::string& version = "1.0.0") const {
    CniAttachment made;
    made.requested = "net";
    made.network.name = "net";
    made.network.version = version;
    made.network.plugins = {{"one", R"({"type":"one","colour":"red"})", {}},
                            {"two", R"({"type":"two","capabilities":{"portMappings":true}})", {"portMappings"}}};
    made.containerId = "web";
    made.interface = "eth0";
    made.portMappings = {{8080, 80, Protocol::Tcp}};
    made.labels = {{"tier", "front"}};
    return made;
  }
  Cni cni(std::chrono::nanoseconds timeout = 10s) const { return {"/nowhere:" + path_, timeout}; }
  template <typename T>
  Result<T> run(async::Task<Result<T>> work) {
    async::Loop loop;
    return async::runUntilDone(loop, std::move(work));
  }

  std::string path_ = testing::TempDir() + "gantry-plugins-XXXXXX";
};

TEST_F(CniTest, AddGoesDownTheChainWithEachResult) {
  Cni plugins = cni();
  const auto result = run(plugins.add(attachment(), "/ns"));
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(parseCniResult(*result)->addresses, std::vector<std::string>{"10.1.2.3"});
  EXPECT_NE(result->find("\"from\":\"two\""), std::string::npos);
  EXPECT_EQ(text("calls"), "one ADD web eth0 /ns\ntwo ADD web eth0 /ns\n");
  const std::string info =
      R"({"org.apache.mesos":{"network_info":{"labels":{"labels":[{"key":"tier","value":"front"}]},"name":"net",)"
      R"("port_mappings":[{"container_port":80,"host_port":8080,"protocol":"tcp"}]}}})";
  EXPECT_EQ(text("one.ADD.input"),
            R"({"args":)" + info + R"(,"cniVersion":"1.0.0","colour":"red","name":"net","type":"one"})");
  EXPECT_EQ(text("two.ADD.input"),
            R"({"args":)" + info +
                R"(,"cniVersion":"1.0.0","name":"net","prevResult":{"cniVersion":"1.0.0","from":"one",)"
                R"("ips":[{"address":"10.1.2.3/24"}]},"runtimeConfig":{"portMappings":[{"containerPort":80,)"
                R"("hostPort":8080,"protocol":"tcp"}]},"type":"two"})");
}

TEST_F(CniTest, KeepsTheOperatorsOwnArgs) {
  Cni plugins = cni();
  CniAttachment made = attachment();
  made.network.plugins = {{"one", R"({"type":"one","args":{"cni":{"a":1},"org.apache.mesos":{"b":2}}})", {}}};
  made.portMappings.clear();
  made.labels.clear();
  ASSERT_TRUE(run(plugins.add(made, "/ns")));
  EXPECT_NE(
      text("one.ADD.input").find(R"("args":{"cni":{"a":1},"org.apache.mesos":{"b":2,"network_info":{"name":"net"}}})"),
      std::string::npos)
      << text("one.ADD.input");
  made.network.plugins[0].text = R"({"type":"one","args":"many"})";
  EXPECT_EQ(run(plugins.add(made, "/ns")).error().message(),
            "network 'net', plug-in 'one' (ADD): args: must be an object");
}

TEST_F(CniTest, DelGoesUpTheChainAndDoesNotStopAtAnError) {
  behave("two.DEL", "echo '{\"code\":999,\"msg\":\"stuck\"}'; exit 1\n");
  Cni plugins = cni();
  CniAttachment made = attachment();
  made.result = R"({"ips":[]})";
  const auto gone = run(plugins.del(made, ""));
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().message(), "network 'net', plug-in 'two' (DEL): stuck");
  EXPECT_EQ(text("calls"), "two DEL web eth0 \none DEL web eth0 \n");
  EXPECT_NE(text("one.DEL.input").find("\"prevResult\":{\"ips\":[]}"), std::string::npos);
}

TEST_F(CniTest, OldVersionsGetNoPreviousResultAtDelAndNoCheck) {
  Cni plugins = cni();
  CniAttachment made = attachment("0.3.1");
  made.result = R"({"ips":[]})";
  EXPECT_TRUE(run(plugins.check(made, "/ns")));
  EXPECT_TRUE(run(plugins.del(made, "/ns")));
  EXPECT_EQ(text("calls"), "two DEL web eth0 /ns\none DEL web eth0 /ns\n");
  EXPECT_EQ(text("one.DEL.input").find("prevResult"), std::string::npos);
}

TEST_F(CniTest, CheckGoesDownTheChain) {
  Cni plugins = cni();
  CniAttachment made = attachment();
  made.result = R"({"ips":[]})";
  EXPECT_TRUE(run(plugins.check(made, "/ns")));
  EXPECT_EQ(text("calls"), "one CHECK web eth0 /ns\ntwo CHECK web eth0 /ns\n");
}

TEST_F(CniTest, AFailedAddIsUndone) {
  behave("two.ADD", "printf %s '{\"code\":11,\"msg\":\"no\\nroom\",\"details\":\"try later\"}'; exit 1\n");
  Cni plugins = cni();
  const auto result = run(plugins.add(attachment(), "/ns"));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message(), "network 'net', plug-in 'two' (ADD): no room: try later");
  EXPECT_EQ(result.error().code(), Code::Busy);
  EXPECT_EQ(text("calls"), "one ADD web eth0 /ns\ntwo ADD web eth0 /ns\ntwo DEL web eth0 /ns\none DEL web eth0 /ns\n");
}

TEST_F(CniTest, APluginThatHangsIsKilled) {
  behave("one.ADD", "exec sleep 1000\n");
  Cni plugins = cni(200ms);
  const auto result = run(plugins.add(attachment(), "/ns"));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), Code::Timeout);
  EXPECT_EQ(result.error().message(), "network 'net', plug-in 'one' (ADD): did not end within 200ms and was killed");
}

TEST_F(CniTest, SpeaksForAPluginThatSaysNothingUseful) {
  behave("one.ADD", "echo 'segmentation violation' >&2; kill -9 $$\n");
  Cni plugins = cni();
  EXPECT_EQ(run(plugins.add(attachment(), "/ns")).error().message(),
            "network 'net', plug-in 'one' (ADD): segmentation violation");
  behave("one.ADD", "kill -9 $$\n");
  EXPECT_EQ(run(plugins.add(attachment(), "/ns")).error().message(),
            "network 'net', plug-in 'one' (ADD): was killed by SIGKILL (9)");
}

TEST_F(CniTest, NamesAPluginThatIsMissing) {
  Cni plugins = cni();
  CniAttachment made = attachment();
  made.network.plugins[1].type = "three";
  EXPECT_EQ(run(plugins.add(made, "/ns")).error().message(),
            "network 'net': plug-in 'three' is not in '/nowhere:" + path_ + "'");
}

TEST(CniResult, IsReadInEveryVersion) {
  EXPECT_EQ(parseCniResult(R"({"cniVersion":"0.2.0","ip4":{"ip":"10.0.0.2/24"},"ip6":{"ip":"fd00::2/64"},
                               "dns":{"nameservers":["10.0.0.1"],"domain":"d","search":["s"],"options":["o"]}})")
                ->addresses,
            (std::vector<std::string>{"10.0.0.2", "fd00::2"}));
  const auto current = parseCniResult(
      R"({"cniVersion":"1.0.0","interfaces":[{"name":"eth0"}],"ips":[{"address":"10.0.0.2/24","interface":0}],
          "dns":{"nameservers":["10.0.0.1"]}})");
  ASSERT_TRUE(current);
  EXPECT_EQ(current->dns.nameservers, std::vector<std::string>{"10.0.0.1"});
  EXPECT_TRUE(parseCniResult("")->addresses.empty());
  EXPECT_FALSE(parseCniResult("ok"));
  EXPECT_FALSE(parseCniResult(R"({"ips":[{"address":"10.0.0.2\n1.2.3.4 evil"}]})"));
  EXPECT_FALSE(parseCniResult(R"({"ips":[{}]})"));
}

TEST(Version, IsCompared) {
  EXPECT_TRUE(isAtLeast("0.4.0", 0, 4));
  EXPECT_TRUE(isAtLeast("1.0.0", 0, 4));
  EXPECT_TRUE(isAtLeast("0.10.0", 0, 4));
  EXPECT_FALSE(isAtLeast("0.3.1", 0, 4));
  EXPECT_FALSE(isAtLeast("", 0, 4));
}

TEST(NetworkRecord, IsReadBack) {
  CniAttachment attachment;
  attachment.requested = "bridge";
  attachment.network = *parseNetwork(R"({"name":"gantry0","cniVersion":"1.0.0","plugins":[{"type":"bridge","a":1}]})");
  attachment.containerId = "web";
  attachment.interface = "eth0";
  attachment.portMappings = {{8080, 80, Protocol::Tcp}, {53, 53, Protocol::Udp}};
  attachment.result = "{\"ips\":[]}\n";
  const Record record{"web", {attachment}, true};
  EXPECT_EQ(*parseRecord(formatRecord(record)), record);
  EXPECT_FALSE(parseRecord(""));
  EXPECT_FALSE(parseRecord("{}"));
  EXPECT_FALSE(parseRecord(R"({"container":7,"complete":true,"attachments":[]})"));
}

}  // namespace
}  // namespace gantry::network
