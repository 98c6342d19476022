#include "fetcher/uris/target.hpp"

#include <gtest/gtest.h>

namespace gantry::fetcher {
namespace {

Target good(const Uri& uri, std::string_view home = "") {
  auto target = targetOf(uri, home);
  EXPECT_TRUE(target) << uri.value << ": " << (target ? "" : target.error().message());
  return target ? *target : Target();
}

std::string refusal(const Uri& uri) {
  const auto target = targetOf(uri, "");
  return target ? "accepted" : target.error().message();
}

TEST(Target, AFileIsCalledAsTheLastPartOfItsUri) {
  EXPECT_EQ(good({.value = "/opt/tools/run.sh"}).path.text(), "run.sh");
  EXPECT_EQ(good({.value = "file:///opt/a.txt"}).path.text(), "a.txt");
  EXPECT_EQ(good({.value = "http://host/b/c.txt"}).path.text(), "c.txt");
  EXPECT_EQ(good({.value = "https://host/c.tar.gz?token=x"}).path.text(), "c.tar.gz?token=x");
  EXPECT_EQ(good({.value = "http://host/c", .outputFile = "lib/./x/c.bin"}).path.text(), "lib/x/c.bin");
}

TEST(Target, LocalPathsLoseTheirScheme) {
  EXPECT_EQ(good({.value = "file:///opt/a"}).location, "/opt/a");
  EXPECT_EQ(good({.value = "FILE://localhost/opt/a"}).location, "/opt/a");
  EXPECT_EQ(good({.value = "  /opt/a b"}).location, "/opt/a b");
  EXPECT_EQ(good({.value = "spark/run.sh"}, "/opt/frameworks").location, "/opt/frameworks/spark/run.sh");
  EXPECT_EQ(refusal({.value = "spark/run.sh"}), "the path is relative, and the agent has no frameworks_home");
  EXPECT_EQ(refusal({.value = "file://other/opt/a"}), "a file:// URI names an absolute path on this host");
}

TEST(Target, OnlyTheNameSaysWhatIsAnArchive) {
  for (const char* name :
       {"a.tar", "a.tgz", "a.tar.gz", "a.tbz2", "a.tar.bz2", "a.txz", "a.tar.xz", "a.tzst", "a.tar.zst", "a.zip"}) {
    EXPECT_EQ(good({.value = std::string("http://h/") + name}).packing, Packing::Archive) << name;
  }
  EXPECT_EQ(good({.value = "http://h/a.txt.gz"}).packing, Packing::File);
  EXPECT_EQ(good({.value = "http://h/a.zst"}).packing, Packing::File);
  EXPECT_EQ(good({.value = "http://h/a.jar"}).packing, Packing::None);
  EXPECT_EQ(good({.value = "http://h/.gz"}).packing, Packing::None);
  EXPECT_EQ(good({.value = "http://h/a.tgz?b"}).packing, Packing::None);
  EXPECT_EQ(good({.value = "http://h/x?b", .outputFile = "x.tgz"}).packing, Packing::Archive);
  EXPECT_EQ(good({.value = "http://h/a.tgz", .extract = false}).packing, Packing::None);
  EXPECT_EQ(good({.value = "http://h/a.tgz", .executable = true}).packing, Packing::None);
}

TEST(Target, OtherSchemesAreRefusedByName) {
  const auto target = targetOf({.value = "HDFS://namenode/a"}, "");
  ASSERT_FALSE(target);
  EXPECT_EQ(target.error().code(), Code::Unsupported);
  EXPECT_TRUE(target.error().message().starts_with("the scheme 'hdfs' is not supported;"));
}

TEST(Target, WhatLeadsOutOfTheSandboxIsRefused) {
  EXPECT_EQ(refusal({.value = "/a", .outputFile = "../a"}), "output_file: '../a': the name leads out through '..'");
  EXPECT_EQ(refusal({.value = "/a", .outputFile = "b/../../a"}),
            "output_file: 'b/../../a': the name leads out through '..'");
  EXPECT_EQ(refusal({.value = "/a", .outputFile = "/etc/a"}), "output_file: '/etc/a': the name is absolute");
  EXPECT_EQ(refusal({.value = "/a", .outputFile = "b/"}), "output_file: 'b/' names a directory");
  EXPECT_EQ(refusal({.value = "/a", .outputFile = "."}), "output_file: '.' names the sandbox itself");
  EXPECT_EQ(refusal({.value = "/a", .outputFile = "a\nb"}), "the file's name has a control character in it");
}

TEST(Target, WhatNamesNoFileIsRefused) {
  const std::string noFile = "names no file; 'output_file' can give one a name";
  EXPECT_EQ(refusal({.value = ""}), "the URI is empty");
  EXPECT_EQ(refusal({.value = " \t"}), "the URI is empty");
  EXPECT_EQ(refusal({.value = "http://host"}), noFile);
  EXPECT_EQ(refusal({.value = "http://host/"}), noFile);
  EXPECT_EQ(refusal({.value = "http://host/a/"}), noFile);
  EXPECT_EQ(refusal({.value = "http://host/.."}), noFile);
  EXPECT_EQ(refusal({.value = "/"}), noFile);
  EXPECT_EQ(good({.value = "http://host/", .outputFile = "index.html"}).path.text(), "index.html");
  EXPECT_EQ(refusal({.value = std::string("/a\0b", 4)}), "has a control character in it");
  EXPECT_EQ(refusal({.value = "/" + std::string(300, 'a')}),
            "the file's name is longer than 255 bytes; 'output_file' can shorten it");
  EXPECT_EQ(refusal({.value = "/" + std::string(40000, 'a')}), "the URI is longer than 32768 bytes");
}

}  // namespace
}  // namespace gantry::fetcher
