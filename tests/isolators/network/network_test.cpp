#include "isolators/network/network.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <map>

#include "async/run.hpp"
#include "kernel/file.hpp"

namespace gantry::isolators {
namespace {

// Joins whatever is asked for but "missing", and gives everybody 10.1.2.3.
class FakeNetworks final : public network::Networks {
 public:
  Result<void> check(const std::string& /*container*/, const std::vector<network::Wanted>& wanted,
                     const std::string& field) override {
    for (std::size_t index = 0; index < wanted.size(); ++index) {
      if (wanted[index].network == "missing")
        return Error::invalid(field + "[" + std::to_string(index) + "].name", "?");
    }
    return {};
  }
  async::Task<Result<network::Joined>> join(std::string container, std::vector<network::Wanted> wanted,
                                            std::string /*field*/) override {
    asked = wanted;
    network::Joined made;
    made.namespacePath = namespacePath(container);
    for (const network::Wanted& entry : wanted) {
      made.attached.push_back(
          {entry.network, "eth" + std::to_string(made.attached.size()), {"10.1.2.3"}, entry.portMappings});
    }
    made.dns = dns;
    joined_.insert_or_assign(container, made);
    co_return made;
  }
  async::Task<Result<void>> leave(std::string container) override {
    joined_.erase(container);
    co_return Result<void>();
  }
  std::string namespacePath(const std::string& container) const override { return "/run/netns/" + container; }
  Result<network::Joined> joined(const std::string& container) const override {
    const auto found = joined_.find(container);
    if (found == joined_.end()) return Error(Code::NotFound, "nothing joined");
    return found->second;
  }
  Result<network::Counters> counters(const std::string& /*container*/) const override {
    return network::Counters{1, 2, 3, 4, 5, 6, 7, 8};
  }
  std::vector<std::string> containers() const override {
    std::vector<std::string> found;
    for (const auto& [container, joined] : joined_) found.push_back(container);
    return found;
  }
  async::Task<> close() override { co_return; }

  network::Dns dns;
  std::vector<network::Wanted> asked;

 private:
  std::map<std::string, network::Joined> joined_;
};

class NetworkIsolatorTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(::mkdtemp(directory_.data()), nullptr); }
  void TearDown() override { EXPECT_TRUE(kernel::removeTree(directory_)); }

  static ContainerRequest request(std::vector<NetworkAttachment> networks) {
    ContainerRequest made(*ContainerId::root("web"));
    made.image = "busybox";
    made.networks = std::move(networks);
    return made;
  }
  ContainerPtr container(ContainerRequest wanted) const {
    Container made{std::move(wanted)};
    made.runtimeDirectory = directory_;
    return std::make_shared<const Container>(std::move(made));
  }
  std::string whyNot(std::vector<NetworkAttachment> networks) const {
    const auto checked = isolator_.check(request(std::move(networks)));
    return checked ? "" : checked.error().message();
  }
  Contribution prepare(ContainerPtr for_) {
    auto work = isolator_.prepare(std::move(for_));
    auto result = async::runUntilDone(loop_, std::move(work));
    EXPECT_TRUE(result) << result.error().message();
    return result ? *std::move(result) : Contribution();
  }
  std::string file(const char* name) const { return kernel::readFile(directory_ + "/" + name).value_or("(none)"); }

  std::string directory_ = testing::TempDir() + "gantry-isolator-XXXXXX";
  async::Loop loop_;
  FakeNetworks networks_;
  NetworkIsolator isolator_{networks_};
};

TEST_F(NetworkIsolatorTest, RefusesWhatMakesNoSense) {
  EXPECT_EQ(whyNot({}), "");
  EXPECT_EQ(whyNot({{"host", {}, {}}}), "");
  EXPECT_EQ(whyNot({{"a", {}, {}}, {"b", {}, {}}}), "");
  EXPECT_EQ(whyNot({{"a", {}, {}}, {"host", {}, {}}}), "network_infos[1].name: 'host' must be the only network");
  EXPECT_EQ(whyNot({{"none", {{80, 80}}, {}}}), "network_infos[0].port_mappings: network 'none' maps no ports");
  EXPECT_EQ(whyNot({{"a", {}, {}}, {"a", {}, {}}}), "network_infos[1].name: network 'a' is named twice");
  EXPECT_EQ(whyNot({{"a", {}, {}}, {"missing", {}, {}}}), "network_infos[1].name: ?");
}

TEST_F(NetworkIsolatorTest, HandsLabelsOnToTheNetwork) {
  prepare(container(request({{"bridge", {}, {{"tier", "front"}}}})));
  ASSERT_EQ(networks_.asked.size(), 1U);
  EXPECT_EQ(networks_.asked[0].labels, (std::map<std::string, std::string>{{"tier", "front"}}));
}

TEST_F(NetworkIsolatorTest, GivesACniNetworkItsNamespaceAndFiles) {
  const ContainerPtr web = container(request({{"bridge", {{8080, 80, PortMapping::Protocol::Udp}}, {}}}));
  EXPECT_EQ(isolator_.plan(*web), (std::vector<KernelObject>{{"netns", "/run/netns/web"}}));
  const Contribution made = prepare(web);
  EXPECT_EQ(made.namespaces, (std::vector<oci::Namespace>{{"network", "/run/netns/web"}}));
  ASSERT_EQ(made.mounts.size(), 3U);
  EXPECT_EQ(made.mounts[0].destination, "/etc/hosts");
  EXPECT_EQ(made.mounts[0].source, directory_ + "/hosts");
  EXPECT_NE(file("hosts").find("10.1.2.3 web\n"), std::string::npos);
  EXPECT_EQ(file("hostname"), "web\n");

  const auto status = isolator_.networks(*web);
  ASSERT_EQ(status.size(), 1U);
  EXPECT_EQ(status[0].addresses, std::vector<std::string>{"10.1.2.3"});
  EXPECT_EQ(status[0].portMappings, (std::vector<PortMapping>{{8080, 80, PortMapping::Protocol::Udp}}));
  Usage usage;
  ASSERT_TRUE(isolator_.usage(*web, usage));
  EXPECT_EQ(usage.netRxBytes, 1U);
  EXPECT_EQ(usage.netTxDropped, 8U);

  EXPECT_EQ(isolator_.leftovers(), std::vector<std::string>{"web"});
  auto cleaning = isolator_.cleanup(web);
  EXPECT_TRUE(async::runUntilDone(loop_, std::move(cleaning)));
  EXPECT_TRUE(isolator_.leftovers().empty());
}

TEST_F(NetworkIsolatorTest, TakesTheNetworksNameservers) {
  networks_.dns.nameservers = {"10.1.2.1"};
  (void)prepare(container(request({{"bridge", {}, {}}})));
  EXPECT_EQ(file("resolv.conf"), "nameserver 10.1.2.1\n");
}

TEST_F(NetworkIsolatorTest, LeavesTheHostsNamespaceAlone) {
  const ContainerPtr web = container(request({}));
  EXPECT_TRUE(isolator_.plan(*web).empty());
  const Contribution made = prepare(web);
  EXPECT_TRUE(made.namespaces.empty());
  EXPECT_EQ(made.mounts.size(), 3U);
  EXPECT_EQ(file("resolv.conf"), kernel::readFile("/etc/resolv.conf").value_or(""));
  Usage usage;
  EXPECT_TRUE(isolator_.usage(*web, usage));
  EXPECT_FALSE(usage.netRxBytes) << "the host's counters are not the container's";
  EXPECT_TRUE(isolator_.networks(*web).empty());
}

TEST_F(NetworkIsolatorTest, GivesNoneLoopbackAndNoNameserver) {
  const Contribution made = prepare(container(request({{"none", {}, {}}})));
  EXPECT_EQ(made.namespaces.size(), 1U);
  EXPECT_EQ(file("resolv.conf"), "");
  EXPECT_NE(file("hosts").find("127.0.1.1 web\n"), std::string::npos);
}

TEST_F(NetworkIsolatorTest, MissesTheRecordOfARecoveredContainer) {
  auto own = isolator_.recover(container(request({{"bridge", {}, {}}})));
  EXPECT_FALSE(async::runUntilDone(loop_, std::move(own)));
  auto shared = isolator_.recover(container(request({})));
  EXPECT_TRUE(async::runUntilDone(loop_, std::move(shared)));
}

}  // namespace
}  // namespace gantry::isolators
