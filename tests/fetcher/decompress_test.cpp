#include "fetcher/pull/decompress.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include <zlib.h>
#include <zstd.h>

namespace gantry::fetcher {
namespace {

std::string gzip(const std::string& data, int level = 6) {
  z_stream stream{};
  deflateInit2(&stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, data.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string zstd(const std::string& data) {
  std::string out(ZSTD_compressBound(data.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), data.data(), data.size(), 3));
  return out;
}

// Text that compresses, but not to nothing.
std::string text(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string out;
  while (out.size() < size) out += "line " + std::to_string(random() % 1000) + "\n";
  out.resize(size);
  return out;
}

class Collector final : public ByteSink {
 public:
  explicit Collector(std::size_t bufferSize) : buffer_(bufferSize) {}
  Result<std::span<char>> space() override { return std::span<char>(buffer_); }
  Result<void> produced(std::size_t count) override {
    data.append(buffer_.data(), count);
    return {};
  }
  std::string data;

 private:
  std::vector<char> buffer_;
};

Result<std::string> decompress(const std::string& data, std::size_t step, std::size_t bufferSize = 4096) {
  Collector sink(bufferSize);
  const auto decompressor = Decompressor::make(Decompressor::formatOf(data));
  for (std::size_t i = 0; i < data.size(); i += step) {
    TRY_VOID(decompressor->push(std::string_view(data).substr(i, step), sink));
  }
  TRY_VOID(decompressor->finish());
  return sink.data;
}

TEST(Decompressor, TellsFormatsByTheirFirstBytes) {
  EXPECT_EQ(Decompressor::formatOf(gzip("x")), Decompressor::Format::Gzip);
  EXPECT_EQ(Decompressor::formatOf(zstd("x")), Decompressor::Format::Zstd);
  EXPECT_EQ(Decompressor::formatOf(std::string("\x5f\x2a\x4d\x18", 4)), Decompressor::Format::Zstd);
  EXPECT_EQ(Decompressor::formatOf("etc/"), Decompressor::Format::None);
  EXPECT_EQ(Decompressor::formatOf(""), Decompressor::Format::None);
}

TEST(Decompressor, TakesInputAndOutputInPiecesOfAnySize) {
  const std::string plain = text(60'000, 1);
  for (const std::string& packed : {gzip(plain), gzip(plain, 0), zstd(plain), plain}) {
    for (const std::size_t step : {1U, 7U, 1000U, 1'000'000U}) {
      for (const std::size_t buffer : {1U, 100U, 65536U}) {
        if (step == 1 && buffer == 1) continue;
        const auto out = decompress(packed, step, buffer);
        ASSERT_TRUE(out) << out.error().message() << " step " << step << " buffer " << buffer;
        EXPECT_EQ(*out == plain, true) << "step " << step << " buffer " << buffer;
      }
    }
  }
}

TEST(Decompressor, TakesManyGzipMembersAndZstdFrames) {
  std::string plain;
  std::string members;
  std::string frames;
  for (unsigned i = 0; i < 50; ++i) {
    const std::string part = text(i * 37, i);
    plain += part;
    members += gzip(part);
    frames += zstd(part);
    frames += std::string("\x50\x2a\x4d\x18\x03\x00\x00\x00xyz", 11);
  }
  for (std::size_t step = 1; step < 64; ++step) {
    const auto gunzipped = decompress(members, step);
    ASSERT_TRUE(gunzipped) << gunzipped.error().message() << " step " << step;
    EXPECT_EQ(*gunzipped == plain, true) << "gzip, step " << step;
    const auto unzstd = decompress(frames, step);
    ASSERT_TRUE(unzstd) << unzstd.error().message() << " step " << step;
    EXPECT_EQ(*unzstd == plain, true) << "zstd, step " << step;
  }
}

TEST(Decompressor, NoticesTruncation) {
  for (const std::string& packed : {gzip(text(5000, 2)), zstd(text(5000, 2))}) {
    for (const std::size_t cut : {1U, 4U, 8U, 9U, 100U}) {
      const auto out = decompress(packed.substr(0, packed.size() - cut), 512);
      ASSERT_FALSE(out) << cut;
      EXPECT_EQ(out.error().code(), Code::InvalidArgument);
    }
  }
}

TEST(Decompressor, NoticesDamageAndWhatFollowsTheLastMember) {
  std::string packed = gzip(text(5000, 3));
  EXPECT_FALSE(decompress(packed + "garbage!", 512));
  packed[packed.size() - 6] = static_cast<char>(packed[packed.size() - 6] ^ 1);
  EXPECT_FALSE(decompress(packed, 512)) << "a wrong checksum";
  std::string frame = zstd(text(5000, 3));
  frame[frame.size() / 2] = static_cast<char>(frame[frame.size() / 2] ^ 0x55);
  frame += "garbage!";
  EXPECT_FALSE(decompress(frame, 512));
}

}  // namespace
}  // namespace gantry::fetcher
