#include "oci/image.hpp"

#include <gtest/gtest.h>

#include <fmt/format.h>

namespace gantry::oci {
namespace {

const std::string kHex(64, 'a');
const std::string kSha = "sha256:" + kHex;

std::string descriptor(std::string_view type, std::string_view more = "") {
  return fmt::format(R"({{"mediaType":"{}","digest":"{}","size":7{}}})", type, kSha, more);
}

std::string manifest(std::string_view layer, std::string_view more = "") {
  return fmt::format(R"({{"schemaVersion":2,"config":{},"layers":[{}]{}}})", descriptor(media::kOciConfig), layer,
                     more);
}

const std::string kLayer = descriptor("application/vnd.oci.image.layer.v1.tar+gzip");

std::string failureOf(const std::string& json, std::string_view type = media::kOciManifest) {
  const auto parsed = parseManifestDocument(json, type);
  return parsed ? "" : parsed.error().message();
}

TEST(Digest, TakesOnlyTheExactSpelling) {
  EXPECT_EQ(Digest::parse(kSha)->hex(), kHex);
  EXPECT_EQ(Digest::parse("sha512:" + std::string(128, '0'))->algorithmName(), "sha512");
  for (const std::string& text :
       {std::string("sha256"), std::string(""), "sha256:" + std::string(63, 'a'), "sha256:" + std::string(64, 'A'),
        "sha256:../" + std::string(61, 'a'), "SHA256:" + kHex, ":" + kHex, kSha + " "}) {
    const auto parsed = Digest::parse(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code(), Code::InvalidArgument) << text;
  }
  EXPECT_EQ(Digest::parse("blake3:" + kHex).error().code(), Code::Unsupported);
}

TEST(ManifestDocument, ReadsAManifest) {
  const auto parsed = parseManifestDocument(manifest(kLayer), media::kOciManifest);
  ASSERT_TRUE(parsed) << parsed.error().message();
  const auto& read = std::get<Manifest>(*parsed);
  ASSERT_EQ(read.layers.size(), 1U);
  EXPECT_EQ(read.layers[0].digest.text(), kSha);
  EXPECT_EQ(read.layers[0].size, 7U);
}

TEST(ManifestDocument, ReadsDockersTypesInAnOciIndex) {
  const auto json = fmt::format(
      R"({{"schemaVersion":2,"manifests":[{}]}})",
      descriptor(media::kDockerManifest, R"(,"platform":{"os":"linux","architecture":"arm","variant":"v7"})"));
  const auto parsed = parseManifestDocument(json, "application/vnd.oci.image.index.v1+json; charset=utf-8");
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_EQ(std::get<Index>(*parsed).manifests[0].platform->text(), "linux/arm/v7");
}

TEST(ManifestDocument, NamesTheMemberThatIsWrong) {
  EXPECT_EQ(failureOf(R"({"schemaVersion":2,"config":{"mediaType":"x","digest":"sha256:ab","size":1},"layers":[]})"),
            "config.digest: digest 'sha256:ab': sha256 has 64 digits, not 2");
  EXPECT_EQ(failureOf(R"({"schemaVersion":2,"layers":[]})"), "config: is missing");
  EXPECT_EQ(failureOf(manifest(R"({"mediaType":"x","digest":")" + kSha + R"(","size":-1})")).substr(0, 15),
            "layers[0].size:");
  EXPECT_EQ(failureOf(R"({"schemaVersion":3})"), "schemaVersion: is 3, not 2");
}

TEST(ManifestDocument, RefusesWhatIsNoContainerImageByName) {
  EXPECT_NE(failureOf(R"({"schemaVersion":1,"fsLayers":[]})").find("old image manifest"), std::string::npos);
  EXPECT_NE(failureOf("{}", media::kDockerSchema1Signed).find("old image manifest"), std::string::npos);
  EXPECT_NE(failureOf(manifest(descriptor("application/vnd.oci.image.layer.v1.tar+gzip+encrypted"))).find("encrypted"),
            std::string::npos);
  EXPECT_NE(
      failureOf(manifest(descriptor("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"))).find("foreign"),
      std::string::npos);
  EXPECT_NE(failureOf(manifest(descriptor("application/vnd.oci.image.layer.v1.tar", R"(,"urls":["http://x/"])")))
                .find("foreign"),
            std::string::npos);
  const auto artifact = fmt::format(R"({{"schemaVersion":2,"artifactType":"a/b","config":{},"layers":[]}})",
                                    descriptor("application/vnd.oci.empty.v1+json"));
  EXPECT_NE(failureOf(artifact).find("artifact (a/b)"), std::string::npos);
}

TEST(ManifestDocument, RefusesAnIndexThatClaimsToBeAManifestAndTheReverse) {
  const std::string index = R"({"schemaVersion":2,"manifests":[]})";
  EXPECT_NE(failureOf(index), "");
  EXPECT_NE(failureOf(manifest(kLayer), media::kOciIndex), "");
  EXPECT_NE(failureOf(manifest(kLayer, R"(,"manifests":[])"), ""), "");
  EXPECT_NE(failureOf(manifest(kLayer, R"(,"mediaType":"application/vnd.oci.image.index.v1+json")"), ""), "");
  EXPECT_NE(failureOf(manifest(kLayer, R"(,"mediaType":"application/vnd.docker.distribution.manifest.v2+json")")), "");
}

TEST(ImageConfig, TakesNullForEmpty) {
  const auto config = parseImageConfig(R"({"os":"linux","architecture":"amd64",
    "config":{"Cmd":null,"Entrypoint":null,"Env":null,"Volumes":null,"Labels":null},
    "rootfs":{"type":"layers","diff_ids":[]},"history":null})");
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_TRUE(config->config.cmd.empty());
}

TEST(ImageConfig, ReadsTheProcess) {
  const auto config = parseImageConfig(fmt::format(R"({{"os":"linux","architecture":"arm","variant":"v7",
    "config":{{"User":"1000:5","Env":["A=1","B"],"Entrypoint":["/e"],"Cmd":["c"],"WorkingDir":"/w",
      "ExposedPorts":{{"80/tcp":{{}}}},"Volumes":{{"/v":{{}}}},"Labels":{{"k":"v"}},"StopSignal":"SIGRTMIN+3"}},
    "rootfs":{{"type":"layers","diff_ids":["{}"]}},"history":[{{"created_by":"x","empty_layer":true}}]}})",
                                                   kSha));
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->platform.text(), "linux/arm/v7");
  EXPECT_EQ(config->config.user, "1000:5");
  EXPECT_EQ(config->config.exposedPorts, std::vector<std::string>{"80/tcp"});
  EXPECT_EQ(config->config.volumes, std::vector<std::string>{"/v"});
  EXPECT_EQ(config->config.stopSignal, "SIGRTMIN+3");
  EXPECT_EQ(config->diffIds.at(0).text(), kSha);
  EXPECT_TRUE(config->history.at(0).emptyLayer);
}

TEST(ImageConfig, NamesTheMemberThatIsWrong) {
  EXPECT_EQ(parseImageConfig("{}").error().message(), "rootfs: is missing");
  EXPECT_EQ(parseImageConfig(R"({"rootfs":{"type":"layers","diff_ids":["sha256:1"]}})").error().message(),
            "rootfs.diff_ids[0]: digest 'sha256:1': sha256 has 64 digits, not 1");
  EXPECT_EQ(parseImageConfig(R"({"rootfs":{"type":"x","diff_ids":[]}})").error().message(),
            "rootfs.type: is 'x', not 'layers'");
}

Index indexOf(const std::vector<std::string>& platforms) {
  Index index;
  for (const std::string& text : platforms) {
    Descriptor entry;
    entry.size = index.manifests.size();
    if (!text.empty()) {
      // Not parsePlatform: an index has the spelling of whoever made it.
      Platform platform;
      platform.os = text.substr(0, text.find('/'));
      platform.architecture = text.substr(platform.os.size() + 1);
      if (const auto slash = platform.architecture.find('/'); slash != std::string::npos) {
        platform.variant = platform.architecture.substr(slash + 1);
        platform.architecture.resize(slash);
      }
      entry.platform = platform;
    }
    index.manifests.push_back(entry);
  }
  return index;
}

// The position of the chosen entry; -1 when there is none.
int chosen(const std::vector<std::string>& offered, std::string_view wanted) {
  const auto found = selectPlatform(indexOf(offered), *parsePlatform(wanted));
  return found ? static_cast<int>(found->size) : -1;
}

TEST(Platform, ChoosesTheBestVariantThatRuns) {
  EXPECT_EQ(chosen({"linux/arm64", "linux/amd64", "unknown/unknown"}, "linux/amd64"), 1);
  EXPECT_EQ(chosen({"linux/arm/v5", "linux/arm/v6", "linux/arm/v7"}, "linux/arm/v7"), 2);
  EXPECT_EQ(chosen({"linux/arm/v5", "linux/arm/v6", "linux/arm/v8"}, "linux/arm/v7"), 1);
  EXPECT_EQ(chosen({"linux/arm/v7"}, "linux/arm/v6"), -1);
  EXPECT_EQ(chosen({"linux/arm"}, "linux/arm/v7"), 0);
  EXPECT_EQ(chosen({"linux/amd64", "linux/amd64/v3"}, "linux/amd64"), 0);
  EXPECT_EQ(chosen({"linux/amd64", "linux/amd64/v3"}, "linux/amd64/v3"), 1);
  EXPECT_EQ(chosen({"linux/amd64/v2", "linux/amd64/v4"}, "linux/amd64/v3"), 0);
  EXPECT_EQ(chosen({"linux/arm64/v8"}, "linux/arm64"), 0);
  EXPECT_EQ(chosen({"windows/amd64"}, "linux/amd64"), -1);
}

TEST(Platform, TakesAnEntryWithoutOneOnlyWhenItIsTheOnlyOne) {
  EXPECT_EQ(chosen({""}, "linux/amd64"), 0);
  EXPECT_EQ(chosen({"", ""}, "linux/amd64"), -1);
}

TEST(Platform, SaysWhatThereIs) {
  EXPECT_EQ(
      selectPlatform(indexOf({"linux/s390x", "unknown/unknown"}), *parsePlatform("linux/x86_64")).error().message(),
      "no image for platform linux/amd64; there is linux/s390x");
}

TEST(Platform, RefusesWhatIsNone) {
  EXPECT_FALSE(parsePlatform("linux"));
  EXPECT_FALSE(parsePlatform("linux//v7"));
  EXPECT_EQ(parsePlatform("linux/aarch64")->text(), "linux/arm64");
}

}  // namespace
}  // namespace gantry::oci
