// Everything that reads bytes from clients, fed with requests in which a few bytes were changed: nothing may crash,
// hang or take more than it was given. The seed is fixed, so that a failure repeats; under the asan preset this is a
// fuzzer.
#include <array>
#include <random>

#include <gtest/gtest.h>

#include "http/codec.hpp"
#include "http/recordio.hpp"
#include "http/router.hpp"

namespace gantry::http {
namespace {

constexpr int kRounds = 20'000;

constexpr std::array<std::string_view, 6> kSeeds{
    "GET /files/read?path=%2Fa+b&offset=0 HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n",
    "POST /api/v1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
    "POST /api/v1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nTrailer: b\r\n\r\n",
    "GET http://a:5051//slave(1)/api/v1/%2e%2e HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n",
    "5\nhello0\n12\nhello, world",
};

// Changes, inserts, drops or repeats some of the bytes.
std::string mutated(std::string text, std::mt19937& random) {
  constexpr std::string_view kNasty("\0\r\n %/:;=0123456789abcdefxX-\xff", 30);
  const auto below = [&](std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random);
  };
  for (std::size_t changes = 1 + below(6); changes > 0 && !text.empty(); --changes) {
    const std::size_t at = below(text.size());
    const std::size_t kind = below(4);
    if (kind == 0) text[at] = kNasty[below(kNasty.size())];
    if (kind == 1) text.insert(at, 1, kNasty[below(kNasty.size())]);
    if (kind == 2) text.erase(at, 1 + below(4));
    if (kind == 3) text.insert(at, text.substr(below(text.size()), below(20)));
  }
  return text;
}

// In pieces of `step` bytes, as a connection would bring them.
void parseInPieces(Parser& parser, std::string_view text, std::size_t step) {
  std::string input;
  std::size_t body = 0;
  for (std::size_t at = 0; at < text.size(); at += step) {
    input += text.substr(at, step);
    while (!input.empty() && !parser.done()) {
      const auto taken = parser.put(input);
      if (!taken) {
        EXPECT_FALSE(parser.put("x")) << "it takes more after an error";
        return;
      }
      ASSERT_LE(*taken, input.size());
      input.erase(0, *taken);
      if (parser.headerDone()) body += parser.takeBody().size();
      if (*taken == 0) break;
    }
  }
  EXPECT_LE(body, text.size());
  if (!parser.headerDone()) return;
  parser.headers();
  parser.keepAlive();
  ignore(splitPath(parser.target()), "any answer will do");
  if (!parser.done()) ignore(parser.end(), "any answer will do");
}

TEST(Mutation, RequestAndResponseParsersSurvive) {
  std::mt19937 random(7);
  for (int round = 0; round < kRounds; ++round) {
    const std::string text = mutated(std::string(kSeeds[static_cast<std::size_t>(round) % kSeeds.size()]), random);
    const std::size_t step = 1 + static_cast<std::size_t>(round) % 17;
    parseInPieces(*requestParser(4096), text, step);
    parseInPieces(*responseParser(4096, round % 2 == 0), text, step);
  }
}

TEST(Mutation, RecordDecoderAndUrlsSurvive) {
  std::mt19937 random(8);
  for (int round = 0; round < kRounds; ++round) {
    const std::string text = mutated(std::string(kSeeds[static_cast<std::size_t>(round) % kSeeds.size()]), random);
    RecordDecoder decoder(1000);
    std::size_t total = 0;
    for (const char byte : text) {
      decoder.feed(std::string_view(&byte, 1));
      const auto record = decoder.next();
      if (!record) break;
      if (*record) total += (*record)->size();
    }
    EXPECT_LE(total, text.size());
    ignore(parseQuery(text), "any answer will do");
    ignore(percentDecode(text), "any answer will do");
    EXPECT_EQ(*percentDecode(percentEncode("x" + std::to_string(round))), "x" + std::to_string(round));
  }
}

}  // namespace
}  // namespace gantry::http
