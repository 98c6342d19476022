#include "base/ids.hpp"

#include <gtest/gtest.h>

namespace gantry {
namespace {

TEST(ContainerId, NamesItsParentAndItself) {
  const ContainerId pod = *ContainerId::root("pod-1");
  const ContainerId task = *pod.child("task");
  EXPECT_EQ(task.text(), "pod-1.task");
  EXPECT_EQ(task.leaf(), "task");
  EXPECT_EQ(task.parent(), pod);
  EXPECT_EQ(pod.parent(), std::nullopt);
  EXPECT_EQ(*ContainerId::parse("pod-1.task"), task);
}

TEST(ContainerId, RefusesWhatMesosRefuses) {
  for (const std::string& text : {std::string(), std::string("a/b"), std::string("a b"), std::string("a\nb"),
                                  std::string("..", 2), std::string("a."), std::string(".a"), std::string("a\0b", 3),
                                  std::string(243, 'x'), std::string("gr\xc3\xbc")}) {
    const auto id = ContainerId::parse(text);
    ASSERT_FALSE(id) << text;
    EXPECT_EQ(id.error().code(), Code::InvalidArgument);
    EXPECT_TRUE(id.error().message().starts_with("container_id.value: ")) << id.error().message();
  }
  EXPECT_FALSE(ContainerId::root("a.b"));
  EXPECT_TRUE(ContainerId::root(std::string(242, 'x')));
}

TEST(ContainerId, NestsThirtyTwoDeep) {
  ContainerId id = *ContainerId::root("c");
  for (int depth = 2; depth <= 32; ++depth) id = *id.child("c");
  EXPECT_FALSE(id.child("c"));
}

}  // namespace
}  // namespace gantry
