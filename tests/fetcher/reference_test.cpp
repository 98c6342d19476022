#include "fetcher/reference.hpp"

#include <gtest/gtest.h>

namespace gantry::fetcher {
namespace {

const std::string kDigest = "sha256:" + std::string(64, '0');

std::string canonical(std::string_view text, std::string_view registry = kDockerHub) {
  const auto parsed = Reference::parse(text, registry);
  return parsed ? parsed->canonical() : parsed.error().message();
}

TEST(Reference, FillsInDockerHub) {
  EXPECT_EQ(canonical("alpine"), "docker://registry-1.docker.io/library/alpine:latest");
  EXPECT_EQ(canonical("a/b:1"), "docker://registry-1.docker.io/a/b:1");
  EXPECT_EQ(canonical("docker.io/alpine"), canonical("docker://alpine"));
  EXPECT_EQ(canonical("index.docker.io/library/alpine:latest"), canonical("alpine"));
}

TEST(Reference, UsesTheDefaultRegistry) {
  EXPECT_EQ(canonical("alpine", "127.0.0.1:5000"), "docker://127.0.0.1:5000/alpine:latest");
}

TEST(Reference, TellsHostsFromNames) {
  EXPECT_EQ(canonical("quay.io/a"), "docker://quay.io/a:latest");
  EXPECT_EQ(canonical("localhost/a"), "docker://localhost/a:latest");
  EXPECT_EQ(canonical("host:5000/a/b/c:t"), "docker://host:5000/a/b/c:t");
  EXPECT_EQ(canonical("[::1]:5000/a"), "docker://[::1]:5000/a:latest");
  EXPECT_EQ(canonical("host/a"), "docker://registry-1.docker.io/host/a:latest");
}

TEST(Reference, KeepsDigests) {
  EXPECT_EQ(canonical("a/b@" + kDigest), "docker://registry-1.docker.io/a/b@" + kDigest);
  const auto both = Reference::parse("a/b:t@" + kDigest);
  ASSERT_TRUE(both);
  EXPECT_EQ(both->registry()->target(), kDigest);
  EXPECT_EQ(both->registry()->tag, "t");
}

TEST(Reference, ReadsLocalOnes) {
  const auto layout = Reference::parse("oci:/dir:tag");
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->local()->path, "/dir");
  EXPECT_EQ(layout->local()->name, "tag");
  EXPECT_EQ(Reference::parse("docker-archive:/f.tar:a/b:t")->local()->name, "a/b:t");
  EXPECT_EQ(Reference::parse("oci-archive:/f.tar")->local()->kind, LocalReference::Kind::OciArchive);
  EXPECT_EQ(canonical("docker-archive:/f.tar"), "docker-archive:/f.tar");
}

TEST(Reference, RefusesWhatBreaksARule) {
  for (const std::string& text : {std::string(""),
                                  std::string("A"),
                                  std::string("a//b"),
                                  std::string("a/../b"),
                                  std::string("a:"),
                                  std::string("host:99999/a"),
                                  std::string("host:x/a"),
                                  std::string("a b"),
                                  std::string("a:-t"),
                                  std::string("a___b"),
                                  std::string("-a"),
                                  std::string("a-"),
                                  std::string("a.-b"),
                                  std::string("ftp://x/a"),
                                  "a:" + std::string(129, 't'),
                                  "a@sha256:" + std::string(63, '0'),
                                  std::string("a@md5:00"),
                                  std::string("oci:/d:"),
                                  "a/" + std::string(300, 'b'),
                                  std::string("a\nb"),
                                  std::string("127.0.0.1:5000/")}) {
    EXPECT_FALSE(Reference::parse(text)) << text;
  }
  EXPECT_TRUE(Reference::parse("a:" + std::string(128, 't')));
  EXPECT_TRUE(Reference::parse("a__b/c--d/e.f"));
}

TEST(Reference, SaysWhatIsWrong) {
  EXPECT_EQ(canonical("a:" + std::string(129, 't')).substr(0, 22), "image reference 'a:ttt");
  EXPECT_NE(canonical("a:" + std::string(129, 't')).find("the tag has 129 characters, 128 are allowed"),
            std::string::npos);
}

TEST(Loopback, IsOnlyThisMachine) {
  for (const char* host : {"127.0.0.1", "127.8.9.1:5000", "localhost:1", "[::1]:5000"}) EXPECT_TRUE(isLoopback(host));
  for (const char* host : {"127.0.0.1.evil.com", "128.0.0.1", "localhost.evil.com", "127evil.com:80", "[::2]"}) {
    EXPECT_FALSE(isLoopback(host)) << host;
  }
}

}  // namespace
}  // namespace gantry::fetcher
