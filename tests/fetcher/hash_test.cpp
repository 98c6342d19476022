#include "fetcher/pull/hash.hpp"

#include <gtest/gtest.h>

namespace gantry::fetcher {
namespace {

TEST(Hasher, KnowsTheTestVectors) {
  EXPECT_EQ(digestOf("abc").text(), "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(digestOf("", oci::Digest::Algorithm::Sha512).hex().substr(0, 16), "cf83e1357eefb8bd");
}

TEST(ChainId, FollowsTheSpecification) {
  const auto a = digestOf("a");
  const auto b = digestOf("b");
  EXPECT_EQ(chainId({}, a), a);
  EXPECT_EQ(chainId(a, b), digestOf(a.text() + " " + b.text()));
}

}  // namespace
}  // namespace gantry::fetcher
