#include "network/ports.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <set>

#include "kernel/fd.hpp"
#include "kernel/socket.hpp"

namespace gantry::network {
namespace {

class FakeHost final : public HostPorts {
 public:
  bool isInUse(std::uint16_t port, Protocol protocol) const override { return used.contains({protocol, port}); }
  std::set<std::pair<Protocol, std::uint16_t>> used;
};

class Ports : public testing::Test {
 protected:
  std::string whyNot(const std::string& owner, const std::vector<PortMapping>& wanted) {
    const auto taken = table_.take(owner, wanted, "port_mappings");
    return taken ? "" : taken.error().message();
  }

  FakeHost host_;
  PortTable table_{host_};
};

TEST_F(Ports, AreTakenByOneOwnerAtATime) {
  EXPECT_EQ(whyNot("web", {{80, 8080}}), "");
  EXPECT_EQ(whyNot("other", {{443, 443}, {80, 80}}),
            "port_mappings[1].host_port: 80/tcp is already mapped to container 'web'");
  EXPECT_EQ(whyNot("third", {{443, 443}}), "") << "a refused request takes none of its ports";
  EXPECT_EQ(whyNot("dns", {{80, 53, Protocol::Udp}}), "") << "the protocols are apart";
  EXPECT_EQ(whyNot("web", {{80, 8080}}), "") << "what one has one may take again";
  table_.release("web");
  EXPECT_EQ(whyNot("other", {{80, 80}}), "");
}

TEST_F(Ports, OfTheHostAreRefused) {
  host_.used = {{Protocol::Tcp, 22}};
  EXPECT_EQ(whyNot("web", {{22, 22}}), "port_mappings[0].host_port: 22/tcp is in use by a program of the host");
}

TEST_F(Ports, MustMakeSense) {
  EXPECT_EQ(whyNot("web", {{80, 0}}), "port_mappings[0].container_port: must be 1 to 65535");
  EXPECT_EQ(whyNot("web", {{80, 1}, {80, 2}}), "port_mappings[1].host_port: 80/tcp is mapped twice");
}

TEST_F(Ports, ArePickedWhereNoneIsNamed) {
  const auto taken = table_.take("web", {{0, 80}, {0, 81}, {40000, 82}}, "port_mappings");
  ASSERT_TRUE(taken);
  EXPECT_NE(taken->at(0).hostPort, taken->at(1).hostPort);
  for (const PortMapping& mapping : *taken) {
    EXPECT_GE(mapping.hostPort, PortTable::kFirstPicked);
    EXPECT_LE(mapping.hostPort, PortTable::kLastPicked);
  }
  EXPECT_EQ(taken->at(2).hostPort, 40000);
}

TEST_F(Ports, RunOut) {
  for (int port = PortTable::kFirstPicked; port <= PortTable::kLastPicked; ++port) {
    if (port != 50000) host_.used.emplace(Protocol::Tcp, static_cast<std::uint16_t>(port));
  }
  EXPECT_EQ(table_.take("web", {{0, 80}}, "port_mappings")->at(0).hostPort, 50000);
  EXPECT_EQ(whyNot("other", {{0, 80}}), "port_mappings[0].host_port: no port from 32768 to 60999 is free");
}

TEST_F(Ports, AreRememberedAcrossARestart) {
  table_.restore("web", {{80, 8080}});
  EXPECT_EQ(whyNot("other", {{80, 80}}), "port_mappings[0].host_port: 80/tcp is already mapped to container 'web'");
}

TEST(KernelHostPorts, SeesAListeningSocketOnAnyAddress) {
  const auto listener = kernel::listenTcp("127.0.0.1", 0);
  ASSERT_TRUE(listener);
  const std::uint16_t port = kernel::localPort(*listener);
  const KernelHostPorts ports;
  EXPECT_TRUE(ports.isInUse(port, Protocol::Tcp));
  EXPECT_FALSE(ports.isInUse(port, Protocol::Udp));
}

}  // namespace
}  // namespace gantry::network
