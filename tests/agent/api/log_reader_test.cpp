#include "agent/api/log_reader.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "kernel/file.hpp"

namespace gantry::agent::api {
namespace {

class LogFiles : public ::testing::Test {
 protected:
  LogFiles() {
    std::string name = "/tmp/gantry-log-XXXXXX";
    root_ = ::mkdtemp(name.data());
    directory_ = *kernel::open(root_, O_PATH | O_DIRECTORY);
  }
  ~LogFiles() override { ignore(kernel::removeTree(root_), "it is in /tmp"); }

  void append(const std::string& text) { std::ofstream(root_ + "/stdout", std::ios::app) << text; }
  // As the monitor does it.
  void rotate(unsigned keep = 5) {
    const auto name = [this](unsigned n) { return root_ + "/stdout" + (n == 0 ? "" : "." + std::to_string(n)); };
    for (unsigned n = keep - 1; n > 0; --n) std::rename(name(n - 1).c_str(), name(n).c_str());
    append("");
  }
  static std::string all(LogReader& reader) {
    std::string text;
    while (true) {
      const auto piece = reader.read(7);
      EXPECT_TRUE(piece) << (piece ? "" : piece.error().message());
      if (!piece || piece->empty()) return text;
      text += *piece;
    }
  }

  std::string root_;
  kernel::Fd directory_;
};

TEST_F(LogFiles, AreReadOnAsTheyGrow) {
  LogReader reader(directory_, "stdout");
  EXPECT_EQ(all(reader), "") << "there is none yet";
  append("one\n");
  EXPECT_EQ(all(reader), "one\n");
  EXPECT_EQ(all(reader), "");
  append("two\n");
  EXPECT_EQ(all(reader), "two\n");
}

TEST_F(LogFiles, AreReadToTheirEndThoughTheirDirectoryIsDeleted) {
  append("one\n");
  LogReader reader(directory_, "stdout");
  EXPECT_EQ(*reader.read(2), "on");
  ASSERT_TRUE(kernel::removeTree(root_));
  EXPECT_EQ(all(reader), "e\n");
  LogReader late(directory_, "stdout");
  EXPECT_EQ(all(late), "");
}

TEST_F(LogFiles, SayHowMuchIsLeft) {
  LogReader reader(directory_, "stdout");
  EXPECT_EQ(*reader.available(), 0U);
  append("123\n");
  rotate();
  append("4567\n");
  EXPECT_EQ(*reader.available(), 9U);
  EXPECT_EQ(*reader.read(2), "12");
  EXPECT_EQ(*reader.available(), 7U);
  rotate();
  append("8\n");
  EXPECT_EQ(*reader.available(), 9U);
  EXPECT_EQ(all(reader), "3\n4567\n8\n");
  EXPECT_EQ(*reader.available(), 0U);
}

TEST_F(LogFiles, AreReadAcrossRotation) {
  append("1");
  rotate();
  append("2");
  rotate();
  append("3");
  LogReader reader(directory_, "stdout");
  EXPECT_EQ(all(reader), "123") << "from the oldest on";
  append("4");
  rotate();
  append("5");
  rotate();
  rotate();
  append("6");
  EXPECT_EQ(all(reader), "456");
}

TEST_F(LogFiles, GoOnWithTheOldestWhenOursIsGone) {
  append("1");
  LogReader reader(directory_, "stdout");
  EXPECT_EQ(all(reader), "1");
  for (int n = 2; n <= 9; ++n) {
    rotate(3);
    append(std::to_string(n));
  }
  EXPECT_FALSE(reader.tookLoss());
  EXPECT_EQ(all(reader), "789");
  EXPECT_TRUE(reader.tookLoss()) << "2 to 6 were never read";
  EXPECT_FALSE(reader.tookLoss()) << "it is told once";
}

TEST_F(LogFiles, ThatWereReadBeforeTheyWereDeletedAreNoLoss) {
  append("1");
  rotate(3);
  append("2");
  LogReader reader(directory_, "stdout");
  EXPECT_EQ(*reader.read(7), "1");
  rotate(3);
  append("3");
  rotate(3);
  append("4");
  EXPECT_EQ(all(reader), "234");
  EXPECT_FALSE(reader.tookLoss()) << "the deleted file was the one that was read";
}

TEST_F(LogFiles, AreNotMistakenForOthers) {
  append("log");
  for (const char* name : {"/stdout.txt", "/stdout.0", "/stdout1", "/stdoutside"}) std::ofstream(root_ + name) << "no";
  ::mkdir((root_ + "/stdout.7").c_str(), 0755);
  LogReader reader(directory_, "stdout");
  EXPECT_EQ(all(reader), "log");
}

TEST_F(LogFiles, ThatLeadOutAreNotFollowed) {
  ASSERT_EQ(::symlink("/etc/passwd", (root_ + "/stdout").c_str()), 0);
  LogReader reader(directory_, "stdout");
  EXPECT_EQ(all(reader), "");
}

TEST_F(LogFiles, CanBeReadFromTheirLastLines) {
  append("1\n2\n3\n");
  rotate();
  append("4\n5\n");
  const auto tail = [this](std::size_t lines) {
    LogReader reader(directory_, "stdout");
    EXPECT_TRUE(reader.seekToTail(lines));
    return all(reader);
  };
  EXPECT_EQ(tail(0), "");
  EXPECT_EQ(tail(1), "5\n");
  EXPECT_EQ(tail(2), "4\n5\n");
  EXPECT_EQ(tail(3), "3\n4\n5\n");
  EXPECT_EQ(tail(100), "1\n2\n3\n4\n5\n");
  append("6");
  EXPECT_EQ(tail(1), "6");
  EXPECT_EQ(tail(2), "5\n6");
  append(std::string(200'000, 'x') + "\nend\n");
  EXPECT_EQ(tail(1), "end\n");
  EXPECT_EQ(tail(2).size(), 200'006U);
}

TEST_F(LogFiles, LoseNothingWhileTheyAreRotatedAllTheTime) {
  constexpr int kLines = 5'000;
  append("");
  std::thread writer([this] {
    for (int line = 0; line < kLines; ++line) {
      append(std::to_string(line) + "\n");
      if (line % 50 == 49) rotate(200);
    }
    append("end\n");
  });
  LogReader reader(directory_, "stdout");
  std::string text;
  while (!text.ends_with("end\n")) {
    const auto piece = reader.read(4096);
    EXPECT_TRUE(piece) << (piece ? "" : piece.error().message());
    if (!piece) break;
    text += *piece;
  }
  writer.join();
  std::string expected;
  for (int line = 0; line < kLines; ++line) expected += std::to_string(line) + "\n";
  EXPECT_TRUE(text == expected + "end\n") << text.size() << " bytes instead of " << expected.size() + 4;
}

}  // namespace
}  // namespace gantry::agent::api
