#include "cli/specs.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>

namespace gantry::cli {
namespace {

template <typename T>
std::string refusal(const Result<T>& result) {
  return result ? "accepted" : result.error().message();
}

TEST(Environment, ComesFromArgumentsFilesAndOurOwn) {
  char path[] = "/tmp/gantry-env-XXXXXX";
  ::close(::mkstemp(path));
  std::ofstream(path) << "# comment\n\nA=file\nB=with = sign\nGANTRY_TEST_SET\nGANTRY_TEST_UNSET\n";
  ::setenv("GANTRY_TEST_SET", "here", 1);
  ::unsetenv("GANTRY_TEST_UNSET");
  const auto environment = parseEnvironment({path}, {"A=given", "C="});
  ::unlink(path);
  ASSERT_TRUE(environment) << environment.error().message();
  EXPECT_EQ(*environment, (std::map<std::string, std::string>{
                              {"A", "given"}, {"B", "with = sign"}, {"C", ""}, {"GANTRY_TEST_SET", "here"}}));
  EXPECT_EQ(refusal(parseEnvironment({}, {"=x"})), "variable '=x': has no name");
  EXPECT_FALSE(parseEnvironment({"/nonexistent/file"}, {}));
}

TEST(Volume, IsAPathHereAndThere) {
  EXPECT_EQ(*parseVolume("/a:/b"), (VolumeSpec{"/a", "/b", false, false}));
  EXPECT_EQ(*parseVolume("/a:/b:ro"), (VolumeSpec{"/a", "/b", true, false}));
  EXPECT_EQ(*parseVolume("/a:/b:ro,rshared"), (VolumeSpec{"/a", "/b", true, true}));
  char directory[4096];
  ASSERT_NE(::getcwd(directory, sizeof directory), nullptr);
  EXPECT_EQ(parseVolume("./x:/b")->source, std::string(directory) + "/x");
  EXPECT_EQ(parseVolume(".:/b")->source, directory);
  for (const char* text : {"/a", "data:/b", "/a:b", "/a:/b:zz", "/a:/b:ro:x", ""}) {
    EXPECT_TRUE(refusal(parseVolume(text)).starts_with(std::string("volume '") + text + "': ")) << text;
  }
}

TEST(Ports, MayBeRanges) {
  using Ports = std::vector<PortSpec>;
  EXPECT_EQ(*parsePorts("80"), (Ports{{0, 80, false}}));
  EXPECT_EQ(*parsePorts("8080:80"), (Ports{{8080, 80, false}}));
  EXPECT_EQ(*parsePorts("53:53/udp"), (Ports{{53, 53, true}}));
  EXPECT_EQ(*parsePorts("8000-8001:80-81"), (Ports{{8000, 80, false}, {8001, 81, false}}));
  EXPECT_EQ(parsePorts("1-65535")->size(), 65535U);
  for (const char* text :
       {"", "0", "65536", "x", "80/sctp", "1:2:3", "127.0.0.1:80:80", "1-2:80", "5-4", "80:", ":80"}) {
    EXPECT_TRUE(refusal(parsePorts(text)).starts_with(std::string("port '") + text + "': ")) << text;
  }
}

TEST(Ulimit, HasOneOrTwoValues) {
  EXPECT_EQ(*parseUlimit("nofile=10"), (UlimitSpec{"RLMT_NOFILE", 10, 10}));
  EXPECT_EQ(*parseUlimit("nofile=10:20"), (UlimitSpec{"RLMT_NOFILE", 10, 20}));
  EXPECT_EQ(*parseUlimit("core=unlimited"), (UlimitSpec{"RLMT_CORE", {}, {}}));
  for (const char* text : {"nofile", "bogus=1", "nofile=x", "nofile=1:2:3", "nofile="}) {
    EXPECT_FALSE(parseUlimit(text)) << text;
  }
}

TEST(Signal, IsANameOrANumber) {
  for (const char* text : {"KILL", "SIGKILL", "kill", "sigkill", "9"}) EXPECT_EQ(*parseSignal(text), SIGKILL) << text;
  EXPECT_EQ(*parseSignal("RTMIN+3"), SIGRTMIN + 3);
  EXPECT_EQ(*parseSignal("SIGRTMAX-1"), SIGRTMAX - 1);
  for (const char* text : {"", "0", "65", "-1", "BOGUS", "RTMIN-1", "RTMIN+99", "9x"})
    EXPECT_FALSE(parseSignal(text)) << text;
}

TEST(Capabilities, AreAddedToAndTakenFromTheDefault) {
  EXPECT_EQ(*parseCapabilities({}, {}), std::nullopt);
  EXPECT_EQ((*parseCapabilities({}, {"chown"}))->size(), 13U);
  EXPECT_EQ((*parseCapabilities({"CAP_NET_ADMIN"}, {}))->size(), 15U);
  EXPECT_EQ(**parseCapabilities({"NET_ADMIN"}, {"ALL"}), std::vector<std::string>{"NET_ADMIN"});
  EXPECT_EQ((*parseCapabilities({"ALL"}, {"CHOWN"}))->size(), 40U);
  EXPECT_TRUE((*parseCapabilities({}, {"ALL"}))->empty());
  EXPECT_EQ(refusal(parseCapabilities({"FLY"}, {})), "capability 'FLY': there is none of this name");
}

}  // namespace
}  // namespace gantry::cli
