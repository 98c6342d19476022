#include "agent/api/negotiation.hpp"

#include <gtest/gtest.h>

namespace gantry::agent::api {
namespace {

using wire::Media;

Form formOf(const http::Headers& headers) {
  const auto negotiated = negotiate(headers);
  EXPECT_TRUE(std::holds_alternative<Form>(negotiated));
  return std::holds_alternative<Form>(negotiated) ? std::get<Form>(negotiated) : Form{};
}

int refusalOf(const http::Headers& headers) {
  const auto negotiated = negotiate(headers);
  const auto* refusal = std::get_if<http::Response>(&negotiated);
  return refusal == nullptr ? 0 : refusal->status;
}

const std::pair<std::string, std::string> kJson{"Content-Type", "application/json"};

TEST(ContentType, IsMatchedLiterally) {
  EXPECT_EQ(formOf({kJson}).request, Media::Json);
  EXPECT_EQ(formOf({{"Content-Type", "application/x-protobuf"}}).request, Media::Protobuf);
  EXPECT_EQ(refusalOf({}), 400);
  EXPECT_EQ(refusalOf({{"Content-Type", "application/json; charset=utf-8"}}), 415);
  EXPECT_EQ(refusalOf({{"Content-Type", "text/plain"}}), 415);
}

TEST(ContentType, OfAStreamNeedsThatOfItsMessages) {
  const Form form =
      formOf({{"Content-Type", "application/recordio"}, {"Message-Content-Type", "application/x-protobuf"}});
  EXPECT_TRUE(form.requestStream);
  EXPECT_EQ(form.request, Media::Protobuf);
  EXPECT_EQ(refusalOf({{"Content-Type", "application/recordio"}}), 400);
  EXPECT_EQ(refusalOf({{"Content-Type", "application/recordio"}, {"Message-Content-Type", "text/plain"}}), 415);
  EXPECT_EQ(refusalOf({kJson, {"Message-Content-Type", "application/json"}}), 415);
}

TEST(Accept, PrefersJsonThenProtobufThenStreams) {
  EXPECT_EQ(formOf({kJson, {"Accept", "*/*"}}).response, Media::Json);
  EXPECT_EQ(formOf({kJson, {"Accept", "application/x-protobuf, application/json;q=0.1"}}).response, Media::Json);
  EXPECT_EQ(formOf({kJson, {"Accept", "application/x-protobuf"}}).response, Media::Protobuf);
  const Form stream = formOf({kJson, {"Accept", "application/recordio"}, {"Message-Accept", "application/x-protobuf"}});
  EXPECT_TRUE(stream.responseStream);
  EXPECT_EQ(stream.response, Media::Protobuf);
  EXPECT_EQ(formOf({kJson, {"Accept", "application/recordio"}}).response, Media::Json);
}

TEST(Accept, IsRefusedWhenWeHaveNothingOfIt) {
  EXPECT_EQ(refusalOf({kJson, {"Accept", "text/html"}}), 406);
  EXPECT_EQ(refusalOf({kJson, {"Accept", "*/*;q=0"}}), 406);
  EXPECT_EQ(refusalOf({kJson, {"Accept", "application/recordio"}, {"Message-Accept", "text/html"}}), 406);
  EXPECT_EQ(refusalOf({kJson, {"Message-Accept", "application/json"}}), 406);
}

}  // namespace
}  // namespace gantry::agent::api
