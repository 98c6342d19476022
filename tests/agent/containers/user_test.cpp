#include "agent/containers/user.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "kernel/file.hpp"

namespace gantry::agent {
namespace {

class UserTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "gantry-user-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
    std::filesystem::create_directory(root_ + "/etc");
    write("passwd",
          "root:x:0:0:root:/root:/bin/sh\n"
          "1000:x:0:0::/:\n"
          "4294967296:x:0:0::/:\n"
          "2147483648:x:0:0::/:\n"
          "-1:x:0:0::/:\n"
          "broken line\n"
          "web:x:101:102:Web:/srv/web:/bin/false\n");
    write("group", "root:x:0:\nwww:x:33:web,other\nwebs:x:102:web\n");
    fd_ = *kernel::open(root_, O_PATH | O_DIRECTORY);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void write(const std::string& name, const std::string& text) { std::ofstream(root_ + "/etc/" + name) << text; }
  Result<ResolvedUser> resolve(const std::string& text) { return resolveUser(fd_, text); }
  oci::User user(const std::string& text) {
    const Result<ResolvedUser> resolved = resolve(text);
    EXPECT_TRUE(resolved) << resolved.error().message();
    return resolved ? resolved->user : oci::User{};
  }

  std::string root_;
  kernel::Fd fd_;
};

TEST_F(UserTest, NothingIsRoot) {
  EXPECT_EQ(user(""), (oci::User{.uid = 0, .gid = 0, .additionalGids = {0}}));
  EXPECT_EQ(resolve("")->home, "/root");
}

TEST_F(UserTest, ANameHasItsGroupsAndHome) {
  EXPECT_EQ(user("web"), (oci::User{.uid = 101, .gid = 102, .additionalGids = {102, 33}}));
  EXPECT_EQ(resolve("web")->home, "/srv/web");
  EXPECT_EQ(user("101"), user("web"));
}

TEST_F(UserTest, ANamedGroupIsTheOnlyOne) {
  EXPECT_EQ(user("web:www"), (oci::User{.uid = 101, .gid = 33, .additionalGids = {33}}));
  EXPECT_EQ(user("5:6"), (oci::User{.uid = 5, .gid = 6, .additionalGids = {6}}));
}

TEST_F(UserTest, DigitsAreNeverAName) {
  EXPECT_EQ(user("1000"), (oci::User{.uid = 1000, .gid = 0, .additionalGids = {0}}));
  EXPECT_EQ(resolve("1000")->home, "/");
}

TEST_F(UserTest, RefusesWhatCouldBecomeRootByMistake) {
  for (const char* text : {"4294967296", "2147483648", "99999999999999999999", "-1", "+1", " 1", "0x0", ":5", ":",
                           "1000:", "1000:abc", "1000:0x0", "65536:4294967296", "web:-1", "web\n", "1000 "}) {
    const Result<ResolvedUser> resolved = resolve(text);
    EXPECT_FALSE(resolved) << text;
  }
}

TEST_F(UserTest, NamesWhoIsMissing) {
  EXPECT_EQ(resolve("bob").error().message(), "user 'bob' is not in the container's /etc/passwd");
  EXPECT_EQ(resolve("bob").error().code(), Code::NotFound);
  EXPECT_EQ(resolve("web:staff").error().message(), "group 'staff' is not in the container's /etc/group");
  EXPECT_EQ(resolve("2147483648").error().message(), "'2147483648' is out of range: a uid is at most 2147483647");
}

TEST_F(UserTest, MissingFilesAreEmptyOnes) {
  std::filesystem::remove_all(root_ + "/etc");
  EXPECT_EQ(user("7"), (oci::User{.uid = 7, .gid = 0, .additionalGids = {0}}));
  EXPECT_FALSE(resolve("web"));
}

TEST_F(UserTest, DoesNotReadOutsideOfTheRootFileSystem) {
  const std::string outside = root_ + "-outside";
  std::ofstream(outside) << "evil:x:0:0::/:\n";
  std::filesystem::remove(root_ + "/etc/passwd");
  std::filesystem::create_symlink(outside, root_ + "/etc/passwd");
  EXPECT_FALSE(resolve("evil"));
  std::filesystem::remove(outside);
}

TEST_F(UserTest, IsNeitherHungNorFilledByOddFiles) {
  std::filesystem::remove(root_ + "/etc/passwd");
  ASSERT_EQ(mkfifo((root_ + "/etc/passwd").c_str(), 0600), 0);
  EXPECT_EQ(resolve("web").error().message(), "'/etc/passwd' is not a regular file");
  std::filesystem::remove(root_ + "/etc/passwd");
  std::filesystem::create_directory(root_ + "/etc/passwd");
  EXPECT_FALSE(resolve("web"));
  std::filesystem::remove(root_ + "/etc/passwd");
  write("passwd", "");
  std::filesystem::resize_file(root_ + "/etc/passwd", 2ULL << 30U);
  EXPECT_EQ(resolve("web").error().code(), Code::Exhausted);
}

}  // namespace
}  // namespace gantry::agent
