#include "runtime/monitor/log_file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>

#include "kernel/file.hpp"

namespace gantry::monitor {
namespace {

class Log : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(::mkdtemp(directory_.data()), nullptr); }
  void TearDown() override { EXPECT_TRUE(kernel::removeTree(directory_)); }

  std::string path(int number = 0) const {
    return directory_ + "/out" + (number == 0 ? "" : "." + std::to_string(number));
  }
  std::string content(int number = 0) const { return kernel::readFile(path(number)).value_or("(none)"); }

  std::string directory_ = testing::TempDir() + "gantry-log-XXXXXX";
  LogFile log_;
};

TEST_F(Log, AppendsToWhatIsThere) {
  ASSERT_TRUE(kernel::replaceFile(path(), "before\n"));
  ASSERT_TRUE(log_.open(path().c_str(), 0, 1));
  log_.write("after\n");
  EXPECT_EQ(content(), "before\nafter\n");
}

TEST_F(Log, CountsTheBytesThatAFileHeldAtTheStart) {
  ASSERT_TRUE(kernel::replaceFile(path(), "12345678\n"));
  const std::string name = path();
  ASSERT_TRUE(log_.open(name.c_str(), 10, 2));
  log_.write("ab\n");
  EXPECT_EQ(content(1), "12345678\n");
  EXPECT_EQ(content(), "ab\n");
}

TEST_F(Log, RotatesAtLineEndsAndDropsTheOldestFile) {
  const std::string name = path();
  ASSERT_TRUE(log_.open(name.c_str(), 10, 3));
  log_.write("one\ntwo\nthree\n");
  EXPECT_EQ(content(1), "one\ntwo\n");
  EXPECT_EQ(content(), "three\n");
  log_.write("four\nfive\nsix\n");
  EXPECT_EQ(content(2), "three\n");
  EXPECT_EQ(content(1), "four\nfive\n");
  EXPECT_EQ(content(), "six\n");
  EXPECT_FALSE(kernel::exists(path(3)));
}

TEST_F(Log, LosesNoByteOfLinesLongerThanAFile) {
  const std::string name = path();
  ASSERT_TRUE(log_.open(name.c_str(), 4, 10));
  log_.write("0123456789abcdef\n");
  std::string all;
  for (int number = 4; number >= 0; --number) all += content(number);
  EXPECT_EQ(all, "0123456789abcdef\n");
  EXPECT_EQ(content(4), "0123");
}

TEST_F(Log, KeepsOneFileByStartingItAgain) {
  const std::string name = path();
  ASSERT_TRUE(log_.open(name.c_str(), 8, 1));
  log_.write("first\n");
  log_.write("second\n");
  EXPECT_EQ(content(), "second\n");
}

TEST_F(Log, ReplacesWhatAContainerPutInItsPlace) {
  const std::string canary = directory_ + "/canary";
  ASSERT_TRUE(kernel::replaceFile(canary, "untouched"));
  const std::string name = path();
  ASSERT_TRUE(log_.open(name.c_str(), 4, 1000));
  // Each trick waits where the next file will be made: a racing container would put it there after the rename.
  ASSERT_EQ(::unlink(name.c_str()), 0);
  ASSERT_EQ(::symlink(canary.c_str(), name.c_str()), 0);
  LogFile second;
  ASSERT_TRUE(second.open(name.c_str(), 0, 1));
  second.write("mine\n");
  EXPECT_EQ(content(), "mine\n");

  ASSERT_EQ(::unlink(name.c_str()), 0);
  ASSERT_EQ(::mkfifo(name.c_str(), 0600), 0);
  LogFile third;
  ASSERT_TRUE(third.open(name.c_str(), 0, 1)) << "a FIFO without a reader must not hold us";

  ASSERT_EQ(::unlink(name.c_str()), 0);
  ASSERT_EQ(::link(canary.c_str(), name.c_str()), 0);
  LogFile fourth;
  ASSERT_TRUE(fourth.open(name.c_str(), 0, 1));
  fourth.write("mine again\n");
  EXPECT_EQ(kernel::readFile(canary).value_or(""), "untouched");
}

TEST_F(Log, DropsWhatTheDiskDoesNotTakeAndSaysSoLater) {
  // A file size limit stands in for a full disk: EFBIG instead of ENOSPC, on the same path.
  struct rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  ::signal(SIGXFSZ, SIG_IGN);
  const std::string name = path();
  ASSERT_TRUE(log_.open(name.c_str(), 0, 1));
  const struct rlimit tight{6, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tight), 0);
  log_.write("fits\n");
  log_.write("does not fit\n");
  log_.write("nor this\n");
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(log_.lost(), 21U);
  EXPECT_EQ(log_.lostErrno(), EFBIG);
  log_.write("again\n");
  EXPECT_EQ(log_.lost(), 0U);
  EXPECT_EQ(content(), "fits\nd\n[gantry-monitor: 21 bytes of output were lost: File too large]\nagain\n");
}

}  // namespace
}  // namespace gantry::monitor
