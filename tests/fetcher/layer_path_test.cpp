#include "fetcher/pull/layer_path.hpp"

#include <gtest/gtest.h>

namespace gantry::fetcher {
namespace {

TEST(LayerPath, DropsWhatMeansNothing) {
  EXPECT_EQ(parseLayerPath("./a//b/./c/")->text(), "a/b/c");
  EXPECT_EQ(parseLayerPath("a/b")->parent(), "a");
  EXPECT_EQ(parseLayerPath("a")->parent(), "");
  EXPECT_TRUE(parseLayerPath("./")->isRoot());
  EXPECT_TRUE(parseLayerPath("/")->isRoot());
}

TEST(LayerPath, RefusesWhatLeadsOut) {
  for (const char* name : {"/etc/passwd", "../x", "a/../../x", "a/..", "..", ""}) {
    const auto path = parseLayerPath(name);
    ASSERT_FALSE(path) << name;
    EXPECT_EQ(path.error().code(), Code::InvalidArgument);
    EXPECT_TRUE(path.error().message().starts_with("'" + std::string(name))) << path.error().message();
  }
}

TEST(LayerPath, IsBounded) {
  std::string deep;
  for (std::size_t i = 0; i <= kMaxPathParts; ++i) deep += "a/";
  EXPECT_FALSE(parseLayerPath(deep));
  EXPECT_FALSE(parseLayerPath(std::string(kMaxPath + 1, 'a')));
  EXPECT_TRUE(parseLayerPath("..a/b..")) << "dots within a name are harmless";
}

TEST(Quoted, EscapesWhatATerminalWouldObey) {
  EXPECT_EQ(quoted("a\x1b[2Jb'\xff"), "'a\\x1b[2Jb\\x27\\xff'");
}

}  // namespace
}  // namespace gantry::fetcher
