#include "http/recordio.hpp"

#include <gtest/gtest.h>

namespace gantry::http {
namespace {

TEST(RecordIo, RecordsComeBackHoweverTheBytesArrive) {
  const std::string bytes = encodeRecord("one") + encodeRecord("") + encodeRecord("three\n3\nxyz");
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    RecordDecoder decoder;
    std::vector<std::string> records;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      decoder.feed(std::string_view(bytes).substr(at, step));
      while (true) {
        auto record = decoder.next();
        ASSERT_TRUE(record);
        if (!*record) break;
        records.push_back(**record);
      }
    }
    EXPECT_EQ(records, (std::vector<std::string>{"one", "", "three\n3\nxyz"})) << step;
    EXPECT_TRUE(decoder.isAtBoundary());
  }
}

TEST(RecordIo, RefusesWhatIsNoLength) {
  for (const char* const bad : {"x\nabc", "-1\nabc", "\nabc", "3 \nabc", "0x3\nabc", "99999999999999999999999"}) {
    RecordDecoder decoder;
    decoder.feed(bad);
    EXPECT_FALSE(decoder.next()) << bad;
    EXPECT_FALSE(decoder.next()) << bad;
  }
}

TEST(RecordIo, RefusesRecordsAboveTheLimitBeforeTheyCome) {
  RecordDecoder decoder(10);
  decoder.feed("11\n");
  const auto record = decoder.next();
  ASSERT_FALSE(record);
  EXPECT_EQ(record.error().code(), Code::Exhausted);
}

TEST(RecordIo, KnowsThatAStreamEndsInsideARecord) {
  RecordDecoder decoder;
  decoder.feed("5\nab");
  EXPECT_FALSE(decoder.next()->has_value());
  EXPECT_FALSE(decoder.isAtBoundary());
}

}  // namespace
}  // namespace gantry::http
