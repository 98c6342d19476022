#include "http/compression.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include "async/run.hpp"
#include "http/client.hpp"
#include "http/server.hpp"

namespace gantry::http {
namespace {

std::string unpacked(const std::string& packed) {
  z_stream stream{};
  EXPECT_EQ(::inflateInit2(&stream, 15 + 16), Z_OK);
  std::string text(1U << 20U, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(text.data());
  stream.avail_out = static_cast<uInt>(text.size());
  EXPECT_EQ(::inflate(&stream, Z_FINISH), Z_STREAM_END);
  text.resize(text.size() - stream.avail_out);
  ::inflateEnd(&stream);
  return text;
}

TEST(Compression, IsForWhoeverTakesIt) {
  for (const char* const takes : {"gzip", "deflate, GZIP", "x-gzip", "*", "identity;q=1, *;q=0.5", "gzip ; q = 0.1",
                                  "*;q=0, gzip", "gzip;level=3"}) {
    EXPECT_TRUE(acceptsGzip(takes)) << takes;
  }
  for (const char* const refuses : {"", "identity", "gzip;q=0", "gzip;q=0.000, *", "*;q=0", "gzipped", ";q=1", ",,"}) {
    EXPECT_FALSE(acceptsGzip(refuses)) << refuses;
  }
  EXPECT_FALSE(acceptsGzip(std::nullopt));
}

TEST(Compression, IsUndoneByZlib) {
  for (const std::size_t size : {0U, 1U, 1024U, 100'000U}) {
    std::string text;
    while (text.size() < size) text += std::to_string(text.size());
    EXPECT_EQ(unpacked(gzip(text)), text);
  }
}

async::Task<> many(RequestPtr request, ResponderPtr responder) {
  Response response = textResponse(200, std::string(std::stoul(request->query.at("bytes")), 'a'));
  ignore(co_await responder->send(std::move(response)), "the test sees what arrives");
}

class CompressedAnswers : public testing::Test {
 protected:
  CompressedAnswers() {
    Router router;
    router.add("GET", "/many", many);
    server_ = std::make_unique<Server>(loop_.get_executor(), std::move(router));
    auto listener = async::Listener::onTcp(loop_.get_executor(), "127.0.0.1", 0);
    endpoint_.host = "127.0.0.1";
    endpoint_.port = listener->port();
    server_->serve(*std::move(listener));
  }
  ~CompressedAnswers() override { async::runUntilDone(loop_, server_->stop({})); }

  Response get(const std::string& target, Headers headers) {
    auto response = async::runUntilDone(loop_, fetch(endpoint_, {.target = target, .headers = std::move(headers)}));
    EXPECT_TRUE(response);
    return response ? *std::move(response) : Response(0);
  }

  async::Loop loop_;
  std::unique_ptr<Server> server_;
  Endpoint endpoint_;
};

TEST_F(CompressedAnswers, AreThoseThatAreLargeEnough) {
  const Headers takes{{"Accept-Encoding", "gzip"}};
  const Response small = get("/many?bytes=1023", takes);
  EXPECT_FALSE(small.headers.has("Content-Encoding"));
  EXPECT_EQ(small.body.size(), 1023U);
  const Response large = get("/many?bytes=1024", takes);
  EXPECT_EQ(large.headers.find("Content-Encoding"), "gzip");
  EXPECT_LT(large.body.size(), 100U);
  EXPECT_EQ(unpacked(large.body), std::string(1024, 'a'));
  EXPECT_EQ(get("/many?bytes=1024", {}).body.size(), 1024U);
}

}  // namespace
}  // namespace gantry::http
