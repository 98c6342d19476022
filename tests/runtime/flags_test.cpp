#include "runtime/flags.hpp"

#include <gtest/gtest.h>

namespace gantry::runtime {
namespace {

using Words = std::vector<std::string>;

TEST(Flags, TakeValuesInEveryForm) {
  std::string bundle;
  std::string file;
  bool detach = false;
  unsigned count = 0;
  std::vector<std::string> environment;
  Words words{"--bundle=/b", "-f", "x", "-d", "--count", "3", "-env", "A=1", "--env=B=2", "ID"};
  const auto parsed = parseFlags(words, {{"bundle,b", &bundle},
                                         {"pid-file,f", &file},
                                         {"detach,d", &detach},
                                         {"count", &count},
                                         {"env,e", &environment}});
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_EQ(bundle, "/b");
  EXPECT_EQ(file, "x");
  EXPECT_TRUE(detach);
  EXPECT_EQ(count, 3u);
  EXPECT_EQ(environment, (Words{"A=1", "B=2"}));
  EXPECT_EQ(words, Words{"ID"});
}

TEST(Flags, EndAtTheFirstWordThatIsNone) {
  bool all = false;
  Words words{"ID", "ls", "--all"};
  ASSERT_TRUE(parseFlags(words, {{"all", &all}}));
  EXPECT_FALSE(all);
  EXPECT_EQ(words.size(), 3u);
  words = {"--", "--all"};
  ASSERT_TRUE(parseFlags(words, {{"all", &all}}));
  EXPECT_EQ(words, Words{"--all"});
  words = {"-"};
  ASSERT_TRUE(parseFlags(words, {{"all", &all}}));
  EXPECT_EQ(words, Words{"-"});
}

TEST(Flags, NameTheOneThatIsWrong) {
  bool all = true;
  unsigned count = 0;
  const auto errorOf = [&](Words words) {
    return parseFlags(words, {{"all", &all}, {"count", &count}}).error().message();
  };
  EXPECT_EQ(errorOf({"--nope"}), "unknown flag '--nope'");
  EXPECT_EQ(errorOf({"--count"}), "--count needs a value");
  EXPECT_EQ(errorOf({"--count", "x"}), "--count: 'x' is not a number");
  EXPECT_EQ(errorOf({"--all=maybe"}), "--all: 'maybe' is neither true nor false");
  Words words{"--all=false"};
  ASSERT_TRUE(parseFlags(words, {{"all", &all}}));
  EXPECT_FALSE(all);
}

TEST(Flags, MayStandBehindArgumentsWhereTheCommandSaysSo) {
  bool force = false;
  std::string format;
  Words words{"ID", "--force", "-9", "--format", "json", "--", "--force=false"};
  ASSERT_TRUE(parseFlagsAnywhere(words, {{"force,f", &force}, {"format", &format}}));
  EXPECT_TRUE(force);
  EXPECT_EQ(format, "json");
  EXPECT_EQ(words, (Words{"ID", "-9", "--force=false"}));
  words = {"--unknown", "ID"};
  EXPECT_EQ(parseFlagsAnywhere(words, {{"force,f", &force}}).error().message(), "unknown flag '--unknown'");
  words = {"ID", "--format"};
  EXPECT_EQ(parseFlagsAnywhere(words, {{"format", &format}}).error().message(), "--format needs a value");
}

}  // namespace
}  // namespace gantry::runtime
