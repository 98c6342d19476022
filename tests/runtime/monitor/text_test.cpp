#include "runtime/monitor/text.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "runtime/monitor/options.hpp"

namespace gantry::monitor {
namespace {

TEST(Text, IsCutOffWhereItIsFull) {
  Text<8> text;
  text << "abc" << 12345U << "xyz";
  EXPECT_EQ(text.view(), "abc12345");
  EXPECT_STREQ(text.c_str(), "abc12345");
}

TEST(Text, SpellsTheLargestNumber) {
  Text<32> text;
  text << UINT64_MAX;
  std::string_view view = text.view();
  std::uint64_t number = 0;
  EXPECT_TRUE(takeNumber(view, number));
  EXPECT_EQ(number, UINT64_MAX);
}

TEST(Text, TakesNumbersOneByOneAndRefusesWhatIsNone) {
  std::string_view text = "24 80\n";
  std::uint64_t number = 0;
  EXPECT_TRUE(takeNumber(text, number));
  EXPECT_EQ(number, 24U);
  EXPECT_TRUE(takeNumber(text, number));
  EXPECT_EQ(number, 80U);
  EXPECT_FALSE(takeNumber(text, number));
  for (const std::string_view wrong : {"", "-1", "x", " 1", "18446744073709551616"}) {
    std::string_view rest = wrong;
    EXPECT_FALSE(takeNumber(rest, number)) << wrong;
  }
}

const char* parse(std::vector<const char*> words, Options& options) {
  words.insert(words.begin(), "gantry-monitor");
  return parseOptions(static_cast<int>(words.size()), const_cast<char**>(words.data()), options);
}

TEST(Options, AreRefusedByName) {
  Options options;
  const std::vector<const char*> whole = {"--directory", "/d",  "--runtime",  "/r",   "--runtime-root", "/s",
                                          "--id",        "web", "--bundle",   "/b",   "--stdout",       "/o",
                                          "--stderr",    "/e",  "--log-size", "4096", "--log-files",    "3"};
  EXPECT_EQ(parse(whole, options), nullptr);
  EXPECT_STREQ(options.bundle, "/b");
  EXPECT_EQ(options.logSize, 4096U);
  EXPECT_EQ(options.logFiles, 3U);

  const auto with = [&](std::vector<const char*> more) {
    Options fresh;
    more.insert(more.begin(), whole.begin(), whole.end());
    const char* const complaint = parse(more, fresh);
    return std::string(complaint == nullptr ? "" : complaint);
  };
  EXPECT_EQ(with({"--terminal", "--stdin"}), "");
  EXPECT_EQ(with({"--colour"}), "an option is unknown; see --help");
  EXPECT_EQ(with({"--session"}), "give either --stdout and --stderr, or --session");
  EXPECT_EQ(with({"--exec", "/p"}), "give one of --bundle and --exec");
  EXPECT_EQ(with({"--log-size", "1M"}), "--log-size: not a number of bytes");
  EXPECT_EQ(with({"--log-files", "0"}), "--log-files: must be 1 to 1000");
  EXPECT_EQ(with({"--id"}), "an option has no value");
}

}  // namespace
}  // namespace gantry::monitor
