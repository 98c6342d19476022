// Needs root: real namespaces, Debian's real plug-ins, a bridge of the test's own.
#include "network/networks.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "async/process.hpp"
#include "async/run.hpp"
#include "async/scope.hpp"
#include "kernel/file.hpp"
#include "kernel/net_namespace.hpp"
#include "network/bridge_keeper.hpp"

namespace gantry::network {
namespace {

using namespace std::chrono_literals;

constexpr const char* kField = "network_infos";

// Tests run side by side, and each has a bridge, a subnet and a port of its own.
const std::string kBridge = "gt" + std::to_string(::getpid());
const std::string kPrefix = "10.219." + std::to_string(::getpid() % 250) + ".";
const std::string kGateway = kPrefix + "1";
const std::string kLocalPort = std::to_string(20000 + ::getpid() % 10000);

std::string sysctl(const std::string& path) {
  std::string text = kernel::readFile("/proc/sys/net/" + path).value_or("(none)");
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

class NetworksTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    ASSERT_NE(::mkdtemp(directory_.data()), nullptr);
    open();
  }
  void TearDown() override {
    if (!networks_) return;
    for (const std::string& container : networks_->containers()) EXPECT_TRUE(leave(container));
    close();
    EXPECT_FALSE(kernel::exists("/sys/class/net/" + kBridge)) << "an unused bridge goes with the agent";
    EXPECT_EQ(rulesFor(kPrefix), "");
    EXPECT_EQ(rulesFor(kBridge), "");
    EXPECT_TRUE(kernel::removeTree(directory_));
  }

  Settings settings() const {
    Settings made;
    made.runtimeDirectory = directory_;
    made.configDirectory = directory_ + "/net.d";
    made.bridgeSubnet = kPrefix + "0/24";
    made.bridgeInterface = kBridge;
    made.bridgeGrace = 1s;
    return made;
  }
  void close() {
    auto closing = networks_->close();
    async::runUntilDone(loop_, std::move(closing));
    networks_.reset();
  }
  // As a restarted agent would.
  void open() { open(settings()); }
  void open(Settings with) {
    if (networks_) close();
    auto opened = Networks::open(loop_.get_executor(), pool_, std::move(with));
    ASSERT_TRUE(opened) << opened.error().message();
    networks_ = *std::move(opened);
  }

  Result<Joined> join(std::string container, std::vector<Wanted> wanted) {
    auto work = networks_->join(std::move(container), std::move(wanted), kField);
    return async::runUntilDone(loop_, std::move(work));
  }
  Result<void> leave(std::string container) {
    auto work = networks_->leave(std::move(container));
    return async::runUntilDone(loop_, std::move(work));
  }
  async::Output shell(const std::string& script) {
    kernel::Command command;
    command.program = "/bin/sh";
    command.arguments = {"-c", script};
    command.environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"};
    async::RunOptions options;
    options.deadline = 20s;
    auto output = async::runUntilDone(loop_, async::run(std::move(command), std::move(options)));
    EXPECT_TRUE(output);
    return output ? *std::move(output) : async::Output{1, "", ""};
  }
  std::string in(const Joined& joined, const std::string& script) {
    return shell("nsenter --net=" + joined.namespacePath + " sh -c '" + script + "'").out;
  }
  std::string rulesFor(const std::string& text) {
    return shell("{ iptables-nft-save; iptables-legacy-save; } 2>/dev/null | grep -F -- '" + text + "'").out;
  }
  // A server in the namespace that says its own name to whoever connects.
  void serve(const Joined& joined, const std::string& port, const std::string& name) {
    shell("nsenter --net=" + joined.namespacePath + " busybox nc -ll -p " + port + " -e echo " + name +
          " >/dev/null 2>&1 </dev/null & echo $! >> " + directory_ + "/servers; sleep 0.2");
  }
  void endServers() { shell("kill $(cat " + directory_ + "/servers)"); }
  std::string ask(const std::string& address, const std::string& port) {
    return shell("echo | timeout 3 busybox nc -w 2 " + address + " " + port).out;
  }

  std::string directory_ = "/var/tmp/gantry-networks-XXXXXX";
  async::Loop loop_;
  async::WorkerPool pool_;
  std::unique_ptr<Networks> networks_;
};

TEST_F(NetworksTest, NoNetworkIsLoopbackAlone) {
  const auto joined = join("alone", {});
  ASSERT_TRUE(joined) << joined.error().message();
  EXPECT_TRUE(kernel::isNetNamespace(joined->namespacePath));
  EXPECT_NE(in(*joined, "ip -o link").find("LOOPBACK,UP"), std::string::npos);
  EXPECT_EQ(in(*joined, "ip -o link | wc -l"), "1\n");
  EXPECT_EQ(*networks_->counters("alone"), Counters());
  EXPECT_TRUE(leave("alone"));
  EXPECT_FALSE(kernel::exists(joined->namespacePath));
  EXPECT_TRUE(leave("alone")) << "a second time";
}

TEST_F(NetworksTest, GivesEachContainerAnAddressAndConnectsThem) {
  const auto first = join("first", {{"bridge", {}}});
  ASSERT_TRUE(first) << first.error().message();
  const auto second = join("second", {{"bridge", {}}});
  ASSERT_TRUE(second) << second.error().message();
  ASSERT_EQ(first->attached.size(), 1U);
  ASSERT_EQ(first->attached[0].addresses.size(), 1U);
  EXPECT_EQ(first->attached[0].interface, "eth0");
  EXPECT_TRUE(first->attached[0].addresses[0].starts_with(kPrefix));
  EXPECT_NE(first->attached[0].addresses, second->attached[0].addresses);

  EXPECT_NE(in(*first, "busybox ping -c 1 -W 2 " + second->attached[0].addresses[0]).find(" 0% packet loss"),
            std::string::npos);
  const auto counters = networks_->counters("first");
  ASSERT_TRUE(counters);
  EXPECT_GT(counters->receivedPackets, 0U);
  EXPECT_GT(counters->sentBytes, 0U);
  // A container that forges router advertisements must not become the host's gateway (CVE-2020-10749, 2020-13401).
  EXPECT_EQ(sysctl("ipv6/conf/" + kBridge + "/accept_ra"), "0");
}

TEST_F(NetworksTest, JoiningAgainGivesWhatItHad) {
  const auto once = join("web", {{"bridge", {}}});
  const auto twice = join("web", {{"bridge", {}}});
  ASSERT_TRUE(once && twice);
  EXPECT_EQ(once->attached[0].addresses, twice->attached[0].addresses);
}

TEST_F(NetworksTest, MapsPortsOfTheHostAndOfLoopback) {
  const auto web = join("web", {{"bridge", {{0, 80, Protocol::Tcp}}}});
  ASSERT_TRUE(web) << web.error().message();
  const std::string port = std::to_string(web->attached[0].portMappings.at(0).hostPort);
  EXPECT_NE(port, "0");
  serve(*web, "80", "hello");
  EXPECT_EQ(ask("127.0.0.1", port), "hello\n");
  EXPECT_EQ(ask(kGateway, port), "hello\n") << "an address of the host";

  // From another container, and a connection that only passes by is left alone (CVE-2019-9946, CVE-2025-67499).
  const auto other = join("other", {{"bridge", {}}});
  const auto third = join("third", {{"bridge", {}}});
  ASSERT_TRUE(other && third);
  serve(*third, port, "third");
  const std::string throughHost = "echo | timeout 3 busybox nc -w 2 " + kGateway + " " + port;
  EXPECT_EQ(in(*other, throughHost), "hello\n");
  const std::string passingBy = "echo | timeout 3 busybox nc -w 2 " + third->attached[0].addresses[0] + " " + port;
  EXPECT_EQ(in(*other, passingBy), "third\n");
  endServers();

  EXPECT_NE(rulesFor("--to-destination " + web->attached[0].addresses[0]), "");
  ASSERT_TRUE(leave("web"));
  EXPECT_EQ(rulesFor(web->attached[0].addresses[0] + ":"), "");
  EXPECT_EQ(ask("127.0.0.1", port), "");
}

TEST_F(NetworksTest, KeepsContainersFromTheHostsLoopback) {
  // A mapped port makes the plug-in set route_localnet on the bridge, and without a rule against it a container could
  // talk to what listens on the host's 127.0.0.1 alone (CVE-2020-8558).
  const auto web = join("web", {{"bridge", {{0, 80, Protocol::Tcp}}}});
  ASSERT_TRUE(web) << web.error().message();
  ASSERT_EQ(sysctl("ipv4/conf/" + kBridge + "/route_localnet"), "1");
  shell("busybox nc -ll -p " + kLocalPort + " -e echo secret >/dev/null 2>&1 </dev/null & echo $! >> " + directory_ +
        "/servers; sleep 0.2");
  EXPECT_EQ(ask("127.0.0.1", kLocalPort), "secret\n");
  const std::string attack =
      "sysctl -qw net.ipv4.conf.all.route_localnet=1; ip addr del 127.0.0.1/8 dev lo;"
      "ip route add 127.0.0.1 via " +
      kGateway + "; echo | timeout 2 busybox nc -w 1 127.0.0.1 " + kLocalPort;
  EXPECT_EQ(in(*web, attack), "");
  endServers();
}

TEST_F(NetworksTest, RefusesPortsThatSomebodyHas) {
  const auto web = join("web", {{"bridge", {{0, 80, Protocol::Tcp}}}});
  ASSERT_TRUE(web) << web.error().message();
  const std::uint16_t port = web->attached[0].portMappings.at(0).hostPort;
  const auto again = networks_->check("other", {{"bridge", {{port, 80, Protocol::Tcp}}}}, kField);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), Code::Busy);
  EXPECT_EQ(again.error().message(), "network_infos[0].port_mappings[0].host_port: " + std::to_string(port) +
                                         "/tcp is already mapped to container 'web'");
  const auto joined = join("other", {{"bridge", {{port, 80, Protocol::Tcp}}}});
  ASSERT_FALSE(joined);
  EXPECT_EQ(joined.error().message(), again.error().message());
  EXPECT_TRUE(networks_->check("other", {{"bridge", {{port, 80, Protocol::Udp}}}}, kField)) << "the other protocol";
}

TEST_F(NetworksTest, UndoesWhatAnEarlierAgentDid) {
  const auto before = join("web", {{"bridge", {{0, 80, Protocol::Tcp}}}});
  ASSERT_TRUE(before) << before.error().message();
  const PortMapping held = before->attached[0].portMappings.at(0);
  open();
  const auto after = networks_->joined("web");
  ASSERT_TRUE(after) << after.error().message();
  EXPECT_EQ(after->attached[0].addresses, before->attached[0].addresses);
  EXPECT_FALSE(networks_->check("other", {{"bridge", {held}}}, kField)) << "its port is still known";
  EXPECT_EQ(networks_->containers(), std::vector<std::string>{"web"});
  ASSERT_TRUE(leave("web"));
  EXPECT_EQ(rulesFor(before->attached[0].addresses[0]), "");
  EXPECT_FALSE(kernel::exists(directory_ + "/cni/addresses/" + kBridge + "/" + before->attached[0].addresses[0]));
  EXPECT_TRUE(networks_->check("other", {{"bridge", {held}}}, kField));
}

TEST_F(NetworksTest, TakesAwayTheRulesOfAnAgentKilledBeforeThereWasABridge) {
  close();
  auto finding = findIptables(directory_ + "/cni/bin");
  auto iptables = async::runUntilDone(loop_, std::move(finding));
  ASSERT_TRUE(iptables) << iptables.error().message();
  {
    BridgeKeeper killed(loop_.get_executor(), pool_,
                        {*parseSubnet(kPrefix + "0/24"), kBridge, directory_ + "/cni/addresses"});
    EXPECT_FALSE(killed.isUp());
    auto raising = killed.raise(*iptables);
    ASSERT_TRUE(async::runUntilDone(loop_, std::move(raising)));
  }
  EXPECT_NE(rulesFor(kPrefix), "");
  open();
  shell("sleep 2");
  EXPECT_EQ(rulesFor(kBridge), "");
}

TEST_F(NetworksTest, TakesTheBridgeAwaySoonAfterTheLastContainer) {
  ASSERT_TRUE(join("web", {{"bridge", {}}}));
  EXPECT_TRUE(kernel::exists("/sys/class/net/" + kBridge));
  EXPECT_NE(rulesFor(kBridge), "");
  ASSERT_TRUE(leave("web"));
  // Still there, for the next one.
  EXPECT_TRUE(kernel::exists("/sys/class/net/" + kBridge));
  ASSERT_TRUE(join("next", {{"bridge", {}}}));
  shell("sleep 1.2");
  EXPECT_TRUE(kernel::exists("/sys/class/net/" + kBridge)) << "it is in use again";
  ASSERT_TRUE(leave("next"));
  shell("sleep 1.5");
  EXPECT_FALSE(kernel::exists("/sys/class/net/" + kBridge));
  EXPECT_EQ(rulesFor(kBridge), "");
  const auto again = join("again", {{"bridge", {}}});
  EXPECT_TRUE(again) << again.error().message();
}

TEST_F(NetworksTest, DelWorksWhenTheNamespaceIsGone) {
  const auto web = join("web", {{"bridge", {{0, 80, Protocol::Tcp}}}});
  ASSERT_TRUE(web);
  ASSERT_TRUE(kernel::removeNetNamespace(web->namespacePath));
  const auto left = leave("web");
  EXPECT_TRUE(left) << left.error().message();
  EXPECT_EQ(rulesFor(web->attached[0].addresses[0]), "");
}

TEST_F(NetworksTest, UndoesAHalfMadeJoin) {
  ASSERT_TRUE(kernel::makeDirectories(directory_ + "/net.d", 0755));
  ASSERT_TRUE(kernel::makeDirectories(directory_ + "/plugins", 0755));
  ASSERT_TRUE(kernel::replaceFile(directory_ + "/plugins/broken",
                                  "#!/bin/sh\n[ $CNI_COMMAND = DEL ] && exit 0\n"
                                  "echo '{\"cniVersion\":\"1.0.0\",\"code\":7,\"msg\":\"no colour\"}'; exit 1\n",
                                  0755));
  ASSERT_TRUE(kernel::replaceFile(directory_ + "/net.d/10-mine.conflist",
                                  R"({"cniVersion":"1.0.0","name":"mine","plugins":[{"type":"broken"}]})"));
  Settings both = settings();
  both.pluginPath = directory_ + "/plugins:/usr/lib/cni";
  open(both);
  const auto joined = join("web", {{"bridge", {}}, {"mine", {}}});
  ASSERT_FALSE(joined);
  EXPECT_EQ(joined.error().message(), "network 'mine', plug-in 'broken' (ADD): no colour");
  EXPECT_EQ(joined.error().code(), Code::InvalidArgument);
  EXPECT_TRUE(networks_->containers().empty());
  EXPECT_EQ(shell("ls " + directory_ + "/cni/addresses/" + kBridge + " | grep -c ^10").out, "0\n");
}

TEST_F(NetworksTest, NamesWhatIsWrongWithARequest) {
  const auto unknown = networks_->check("web", {{"blue", {}}}, kField);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().message(), "network_infos[0].name: there is no network 'blue'; none is configured");
  const auto path = networks_->check("web", {{"../x", {}}}, kField);
  ASSERT_FALSE(path);
  EXPECT_EQ(path.error().code(), Code::InvalidArgument);
}

}  // namespace
}  // namespace gantry::network
