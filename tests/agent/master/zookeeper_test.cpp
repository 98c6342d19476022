#include <gtest/gtest.h>

#include "agent/master/zookeeper_detector.hpp"
#include "async/run.hpp"
#include "async/scope.hpp"

namespace gantry::agent::master {
namespace {

using namespace std::chrono_literals;

TEST(ZooKeeperAddress, IsTakenApart) {
  EXPECT_EQ(parseZooKeeperAddress("zk://a:1,b:2/mesos").value(), (ZooKeeperAddress{"a:1,b:2", "", "/mesos"}));
  EXPECT_EQ(parseZooKeeperAddress("zk://me:p@ss:w@a:1/x/y/").value(), (ZooKeeperAddress{"a:1", "me:p@ss:w", "/x/y"}));
}

TEST(ZooKeeperAddress, SaysWhatIsMissing) {
  for (const char* text :
       {"a:1/mesos", "zk://", "zk:///mesos", "zk://a:1", "zk://a:1/", "zk://a:1//", "zk://me@a:1/x"}) {
    const auto address = parseZooKeeperAddress(text);
    ASSERT_FALSE(address) << text;
    EXPECT_EQ(address.error().code(), Code::InvalidArgument);
  }
}

TEST(LeadingNode, HasTheLowestNumberAmongContenders) {
  EXPECT_EQ(leadingNode({"json.info_0000000012", "info_0000000007", "log_replicas", "0000000009"}), "info_0000000007");
  EXPECT_EQ(leadingNode({"0000000001", "json.info_0000000002"}), "0000000001");
  EXPECT_EQ(leadingNode({"log_replicas", "json.info_", "json.info_x", "other_0000000001", "info_1x", ""}),
            std::nullopt);
  EXPECT_EQ(leadingNode({}), std::nullopt);
}

TEST(MasterOfNode, ReadsJson) {
  const auto master = masterOfNode("json.info_0000000001", R"({"id": "m1", "ip": 16777343, "port": 5050,
      "pid": "master@127.0.0.1:5050", "hostname": "one", "version": "1.11.0", "unheardOf": {"x": 1},
      "address": {"hostname": "one", "ip": "127.0.0.1", "port": 5050},
      "capabilities": [{"type": "AGENT_UPDATE"}, {"type": "WHAT_IS_THIS"}]})");
  ASSERT_TRUE(master) << master.error().message();
  EXPECT_EQ(toString(master->pid), "master@127.0.0.1:5050");
  EXPECT_EQ(master->hostname, "one");
  EXPECT_TRUE(master->updatesAgents);
}

TEST(MasterOfNode, ReadsAPlainUpid) {
  EXPECT_EQ(toString(masterOfNode("0000000001", "master@10.0.0.1:5050").value().pid), "master@10.0.0.1:5050");
}

TEST(MasterOfNode, RefusesWhatMakesNoSense) {
  for (const char* data : {"", "{", "[]", "{}", "nonsense", R"({"id": "m", "ip": 0, "port": 0, "pid": "x"})"}) {
    EXPECT_FALSE(masterOfNode("json.info_0000000001", data)) << data;
    EXPECT_FALSE(masterOfNode("0000000001", data)) << data;
  }
  EXPECT_FALSE(masterOfNode("info_0000000001", "\xff\xff\xff"));
  EXPECT_FALSE(masterOfNode("log_replicas", "master@10.0.0.1:5050"));
}

// Against a real server: integration/mesos/test_zookeeper.py.
TEST(ZooKeeperDetector, WaitsForAnEnsembleThatIsNotThere) {
  async::Loop loop;
  ZooKeeperTimes times;
  times.session = 100ms;
  times.retry = 20ms;
  ZooKeeperDetector detector(loop.get_executor(), {"127.0.0.1:1", "me:secret", "/mesos"}, times);
  const auto found = async::runUntilDone(loop, async::withTimeout(400ms, detector.detect(std::nullopt)));
  EXPECT_EQ(found.error().code(), Code::Timeout);
}

TEST(MakeDetector, KnowsTheWaysToNameAMaster) {
  async::Loop loop;
  for (const char* text : {"127.0.0.1:5050", "master@127.0.0.1:5050", "zk://127.0.0.1:1/mesos"}) {
    EXPECT_TRUE(makeDetector(loop.get_executor(), text, 10s)) << text;
  }
  for (const char* text : {"", "host", "http://host:1", "host:1/path", "zk://host", "file:///nonexistent"}) {
    EXPECT_FALSE(makeDetector(loop.get_executor(), text, 10s)) << text;
  }
}

}  // namespace
}  // namespace gantry::agent::master
