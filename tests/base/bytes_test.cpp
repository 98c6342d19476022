#include "base/bytes.hpp"

#include <gtest/gtest.h>

namespace gantry {
namespace {

TEST(Bytes, AreReadInTheSpellingsOfMesosAndDocker) {
  EXPECT_EQ(parseBytes("0")->count, 0U);
  EXPECT_EQ(parseBytes("512")->count, 512U);
  EXPECT_EQ(parseBytes("512B")->count, 512U);
  EXPECT_EQ(*parseBytes("10MB"), Bytes::mebi(10));
  EXPECT_EQ(*parseBytes("10m"), Bytes::mebi(10));
  EXPECT_EQ(*parseBytes("10MiB"), Bytes::mebi(10));
  EXPECT_EQ(*parseBytes("1.5g"), Bytes::mebi(1536));
  EXPECT_EQ(parseBytes("9223372036854775807")->count, 9223372036854775807U);
}

TEST(Bytes, RefuseWhatIsNotASize) {
  for (const char* text : {"", "-1", "-0", "m", "1.5", "1x", "1mb2", "1 m", "inf", "nan", "1e3", "0x10", "8E9P",
                           "9223372036854775808", "8192P"}) {
    const auto size = parseBytes(text);
    ASSERT_FALSE(size) << text;
    EXPECT_EQ(size.error().code(), Code::InvalidArgument);
    EXPECT_NE(size.error().message().find(text), std::string::npos) << size.error().message();
  }
}

TEST(Bytes, AreShownInTheLargestFittingUnit) {
  EXPECT_EQ(toString(Bytes{0}), "0B");
  EXPECT_EQ(toString(Bytes{1023}), "1023B");
  EXPECT_EQ(toString(Bytes::mebi(1536)), "1.5GiB");
  EXPECT_EQ(toString(Bytes::gibi(2)), "2GiB");
}

}  // namespace
}  // namespace gantry
