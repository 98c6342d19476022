#include "kernel/file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/openat2.h>
#include <stdlib.h>

namespace gantry::kernel {
namespace {

class File : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(::mkdtemp(path_.data()), nullptr); }
  void TearDown() override { EXPECT_TRUE(removeTree(path_)); }

  std::string path_ = testing::TempDir() + "gantry-file-XXXXXX";
};

TEST_F(File, IsReplacedWhole) {
  ASSERT_TRUE(replaceFile(path_ + "/a", "one"));
  ASSERT_TRUE(replaceFile(path_ + "/a", "two"));
  EXPECT_EQ(*readFile(path_ + "/a"), "two");
  EXPECT_EQ(listDirectory(path_)->size(), 1U);
}

TEST_F(File, ErrorsNameThePath) {
  const auto missing = readFile(path_ + "/none");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), Code::NotFound);
  EXPECT_NE(missing.error().message().find(path_ + "/none"), std::string::npos);
}

TEST_F(File, IsNotReadBeyondTheLimit) {
  ASSERT_TRUE(replaceFile(path_ + "/big", std::string(1000, 'x')));
  EXPECT_EQ(readFile(path_ + "/big", 999).error().code(), Code::Exhausted);
  EXPECT_TRUE(readFile(path_ + "/big", 1000));
}

TEST_F(File, TreesAreRemovedWithoutFollowingLinks) {
  ASSERT_TRUE(makeDirectories(path_ + "/keep", 0755));
  ASSERT_TRUE(replaceFile(path_ + "/keep/canary", "x"));
  ASSERT_TRUE(makeDirectories(path_ + "/tree/a/b", 0755));
  ASSERT_TRUE(symlinkAt("../../keep", workingDirectory(), path_ + "/tree/a/link"));
  ASSERT_TRUE(removeTree(path_ + "/tree"));
  EXPECT_FALSE(exists(path_ + "/tree"));
  EXPECT_TRUE(exists(path_ + "/keep/canary"));
  EXPECT_TRUE(removeTree(path_ + "/tree"));
}

TEST_F(File, SymlinksStayInTheRootWhenAsked) {
  ASSERT_TRUE(makeDirectories(path_ + "/root", 0755));
  ASSERT_TRUE(symlinkAt("/etc", workingDirectory(), path_ + "/root/out"));
  const auto root = open(path_ + "/root", O_PATH | O_DIRECTORY);
  ASSERT_TRUE(root);
  EXPECT_FALSE(openAt2(*root, "out/passwd", O_RDONLY, RESOLVE_IN_ROOT));
}

}  // namespace
}  // namespace gantry::kernel
