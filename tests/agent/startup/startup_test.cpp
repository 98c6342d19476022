#include "agent/startup/startup.hpp"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cstdlib>
#include <cstring>

#include <gtest/gtest.h>

#include "kernel/file.hpp"

namespace gantry::agent {
namespace {

class StartupTest : public testing::Test {
 protected:
  StartupTest() {
    std::string pattern = testing::TempDir() + "/gantry-startup-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
  }
  ~StartupTest() override { ignore(kernel::removeTree(directory_), "a temporary directory"); }

  std::string directory_;
};

TEST_F(StartupTest, ADirectoryHasOneAgent) {
  {
    const auto first = lockDirectory(directory_);
    ASSERT_TRUE(first);
    const auto second = lockDirectory(directory_);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code(), Code::Busy);
    EXPECT_EQ(second.error().message(), "another agent uses '" + directory_ + "'");
  }
  EXPECT_TRUE(lockDirectory(directory_)) << "the lock ends with its holder";
}

TEST_F(StartupTest, ProgramsAreBesideThisOne) {
  EXPECT_TRUE(findProgram(std::nullopt, "agent_startup_test"));
  const auto missing = findProgram(std::nullopt, "gantry-nothing");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), Code::NotFound);
  EXPECT_EQ(*findProgram("/bin/sh", "gantry-nothing"), "/bin/sh");
  ASSERT_TRUE(kernel::replaceFile(directory_ + "/file", "", 0600));
  EXPECT_FALSE(findProgram(directory_ + "/file", "file"));
}

TEST_F(StartupTest, RegistriesAreHostsWithOrWithoutAScheme) {
  EXPECT_EQ(parseRegistry("https://registry-1.docker.io")->host, "registry-1.docker.io");
  EXPECT_FALSE(parseRegistry("https://registry-1.docker.io")->insecure);
  EXPECT_EQ(parseRegistry("http://127.0.0.1:5000/")->host, "127.0.0.1:5000");
  EXPECT_TRUE(parseRegistry("http://127.0.0.1:5000/")->insecure);
  EXPECT_EQ(parseRegistry("mirror:5000")->host, "mirror:5000");
  for (const char* const bad : {"", "https://", "https://a/b", "http://user@a", "file:///a"}) {
    EXPECT_FALSE(parseRegistry(bad)) << bad;
  }
}

TEST_F(StartupTest, TheDescriptorLimitIsRaisedAndTheOldOneTold) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit low = before;
  low.rlim_cur = 256;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  const auto told = raiseDescriptorLimit();
  rlimit raised{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &raised), 0);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(raised.rlim_cur, before.rlim_max);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->soft, 256U);
  EXPECT_EQ(told->hard, before.rlim_max);
}

TEST_F(StartupTest, TheServiceManagerHearsOfEveryChange) {
  const std::string path = directory_ + "/notify";
  const kernel::Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(socket.raw(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);

  ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
  const ServiceManager manager;
  EXPECT_EQ(std::getenv("NOTIFY_SOCKET"), nullptr) << "children must not speak for us";
  const auto received = [&] {
    char text[256] = {};
    const ssize_t count = ::recv(socket.raw(), text, sizeof text, MSG_DONTWAIT);
    return std::string(text, count > 0 ? static_cast<std::size_t>(count) : 0);
  };
  manager.ready("3 containers");
  EXPECT_EQ(received(), "READY=1\nSTATUS=3 containers");
  manager.reloading();
  EXPECT_EQ(received().substr(0, 27), "RELOADING=1\nMONOTONIC_USEC=");
  manager.stopping();
  EXPECT_EQ(received().substr(0, 10), "STOPPING=1");
}

}  // namespace
}  // namespace gantry::agent
