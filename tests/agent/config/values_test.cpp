#include "agent/config/values.hpp"

#include <gtest/gtest.h>

namespace gantry::agent {
namespace {

using namespace std::chrono_literals;

template <typename T>
std::string roundTrip(std::string_view text) {
  T value{};
  const auto parsed = parseValue(text, value);
  return parsed ? formatValue(value) : "refused: " + parsed.error().message();
}

TEST(Values, DurationsAreInMesosSpelling) {
  EXPECT_EQ(roundTrip<async::Duration>("5secs"), "5secs");
  EXPECT_EQ(roundTrip<async::Duration>("1.5mins"), "90secs");
  EXPECT_EQ(roundTrip<async::Duration>("60mins"), "1hrs");
  EXPECT_EQ(roundTrip<async::Duration>("14days"), "2weeks");
  EXPECT_EQ(roundTrip<async::Duration>("0ns"), "0ns");
  for (const char* const bad :
       {"", "5", "secs", "5 secs", "-5secs", "5sec", "5s", "nansecs", "infsecs", "1e300weeks"}) {
    EXPECT_TRUE(roundTrip<async::Duration>(bad).starts_with("refused: must be a duration")) << bad;
  }
}

TEST(Values, BytesKeepTheirExactValue) {
  EXPECT_EQ(roundTrip<Bytes>("10MB"), "10MB");
  EXPECT_EQ(roundTrip<Bytes>("1537KB"), "1537KB");
  EXPECT_EQ(roundTrip<Bytes>("2048"), "2KB");
  EXPECT_EQ(roundTrip<Bytes>("0"), "0B");
  EXPECT_TRUE(roundTrip<Bytes>("ten").starts_with("refused: "));
}

TEST(Values, PathsAreAbsolute) {
  EXPECT_EQ(roundTrip<Path>("/var/lib/"), "/var/lib");
  EXPECT_EQ(roundTrip<Path>("/"), "/");
  EXPECT_EQ(roundTrip<Path>("var"), "refused: must be an absolute path, not 'var'");
  EXPECT_EQ(roundTrip<std::optional<Path>>(""), "");
}

TEST(Values, PortsAndCountsHaveARange) {
  EXPECT_EQ(roundTrip<Port>("0"), "0");
  EXPECT_EQ(roundTrip<Port>("65536"), "refused: must be a whole number from 0 to 65535, not '65536'");
  EXPECT_TRUE(roundTrip<Count>("0").starts_with("refused: "));
  EXPECT_TRUE(roundTrip<Count>("1x").starts_with("refused: "));
}

TEST(Values, SubnetsAreNetworks) {
  EXPECT_EQ(roundTrip<Subnet>("10.0.0.0/24"), "10.0.0.0/24");
  EXPECT_EQ(roundTrip<Subnet>("10.0.0.1/24"),
            "refused: must be a network, but '10.0.0.1/24' has bits set behind its prefix");
  for (const char* const bad : {"10.0.0.0", "10.0.0.0/30", "10.0.0.0/31", "10.0.0/24", "::/64", "/24", "10.0.0.0/"}) {
    EXPECT_TRUE(roundTrip<Subnet>(bad).starts_with("refused: must be an IPv4 network")) << bad;
  }
}

TEST(Values, OthersSayWhatTheyWant) {
  EXPECT_EQ(roundTrip<IpAddress>("::1"), "::1");
  EXPECT_EQ(roundTrip<IpAddress>("localhost"), "refused: must be an IP address, not 'localhost'");
  EXPECT_EQ(roundTrip<log::Level>("warning"), "WARNING");
  EXPECT_EQ(roundTrip<log::Level>("loud"), "refused: must be DEBUG, INFO, WARNING or ERROR, not 'loud'");
  EXPECT_EQ(roundTrip<bool>("1"), "true");
  EXPECT_EQ(roundTrip<bool>("yes"), "refused: must be true or false, not 'yes'");
  EXPECT_EQ(roundTrip<std::vector<std::string>>(",a,,b:5000"), "a,b:5000");
  EXPECT_EQ(roundTrip<std::vector<Path>>("/a::/b/"), "/a:/b");
  EXPECT_EQ(roundTrip<std::vector<Path>>("/a:b"), "refused: must be an absolute path, not 'b'");
  EXPECT_EQ(roundTrip<Recover>("cleanup"), "cleanup");
  EXPECT_EQ(roundTrip<Recover>("none"), "refused: must be reconnect or cleanup, not 'none'");
  EXPECT_EQ(roundTrip<ReconfigurationPolicy>("additive"), "additive");
}

}  // namespace
}  // namespace gantry::agent
