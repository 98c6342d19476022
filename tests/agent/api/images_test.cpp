#include <nlohmann/json.hpp>

#include "tests/agent/api/served.hpp"

namespace gantry::agent::api {
namespace {

using nlohmann::json;

class Images : public Served {
 protected:
  Images() {
    const auto digest = oci::Digest::parse("sha256:" + std::string(64, 'a'));
    fetcher::Image image{.reference = "docker://x/y:1", .manifestDigest = *digest, .configDigest = *digest};
    image.size = Bytes{5};
    image.configJson = R"({"config":{"Cmd":["sh"]}})";
    store_.images.emplace("y:1", ImageStore::Entry{std::move(image), 7});
  }

  std::vector<json> pull(const std::string& body) {
    const auto response = post("/gantry/v1/images/pull", body);
    EXPECT_EQ(response.status, 200) << response.body;
    http::RecordDecoder decoder;
    decoder.feed(response.body);
    std::vector<json> records;
    while (true) {
      const auto record = decoder.next();
      if (!record || !*record) return records;
      records.push_back(json::parse(**record));
    }
  }
};

TEST_F(Images, AreListed) {
  const json listed = json::parse(get("/gantry/v1/images").body)["images"];
  ASSERT_EQ(listed.size(), 1U);
  EXPECT_EQ(listed[0]["reference"], "docker://x/y:1");
  EXPECT_EQ(listed[0]["size"], 5);
  EXPECT_EQ(listed[0]["pulled"], 7);
}

TEST_F(Images, ArePulledWithProgress) {
  const auto records = pull(R"({"reference":"y:1"})");
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0]["progress"]["total"], 2);
  EXPECT_EQ(records[1]["image"]["config"]["config"]["Cmd"], json::array({"sh"}));
  pull(R"({"reference":"y:1","cached":true})");
  EXPECT_EQ(store_.askedForCached, (std::vector<bool>{false, true}));
}

TEST_F(Images, ThatAreNotThereAreAnErrorRecord) {
  const auto records = pull(R"({"reference":"z"})");
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0]["error"]["code"], "NotFound");
  EXPECT_EQ(records[0]["error"]["message"], "there is no image 'z'");
}

TEST_F(Images, AreAskedForInJson) {
  for (const auto& [body, sentence] :
       {std::pair("{}", "reference: is required"), std::pair("[]", "body: is not a JSON object"),
        std::pair(R"({"reference":1})", "reference: must be a string"),
        std::pair(R"({"reference":"a","cache":true})", "cache: is not known")}) {
    const auto response = post("/gantry/v1/images/pull", body);
    EXPECT_EQ(response.status, 400);
    EXPECT_EQ(response.body, sentence);
  }
  // What a web page may send without asking must not fill this host's disk.
  EXPECT_EQ(post("/gantry/v1/images/pull", R"({"reference":"y:1"})", {{"Content-Type", "text/plain"}}).status, 415);
  EXPECT_EQ(post("/gantry/v1/images/pull", R"({"reference":"y:1"})", {}).status, 400);
  EXPECT_TRUE(store_.askedForCached.empty());
}

}  // namespace
}  // namespace gantry::agent::api
