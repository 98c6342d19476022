#include "agent/images/unused.hpp"

#include <gtest/gtest.h>

#include "tests/fakes/manager.hpp"

namespace gantry::agent {
namespace {

oci::Digest digest(char c) {
  return oci::Digest::parse("sha256:" + std::string(64, c)).value();
}

class ForgetUnused : public testing::Test {
 protected:
  void add(const std::string& reference, const std::string& topLayer) {
    ImageStore::Entry entry;
    entry.image.reference = reference;
    entry.image.layers = {{digest('1'), digest('1'), digest('1'), "/layers/base"},
                          {digest('2'), digest('2'), digest('2'), topLayer}};
    store_.images[reference] = entry;
  }
  std::vector<std::string> left() const {
    std::vector<std::string> references;
    for (const auto& [reference, entry] : store_.images) references.push_back(reference);
    return references;
  }

  fakes::Store store_;
};

TEST_F(ForgetUnused, SparesWhatContainersUseAndWhatIsNamed) {
  add("docker://registry-1.docker.io/library/alpine:latest", "/layers/alpine");
  add("docker://registry-1.docker.io/library/python:3", "/layers/python");
  add("docker://quay.io/a/b:latest", "/layers/b");
  ASSERT_TRUE(forgetUnused(store_, {"/layers/base", "/layers/python"}, {"quay.io/a/b"}, "registry-1.docker.io"));
  EXPECT_EQ(left(), (std::vector<std::string>{"docker://quay.io/a/b:latest",
                                              "docker://registry-1.docker.io/library/python:3"}));
}

TEST_F(ForgetUnused, ForgetsNothingWhenAnExcludedImageIsNoReference) {
  add("docker://quay.io/a/b:latest", "/layers/b");
  EXPECT_FALSE(forgetUnused(store_, {}, {"NOT A REFERENCE"}, "registry-1.docker.io"));
  EXPECT_EQ(left().size(), 1U);
}

}  // namespace
}  // namespace gantry::agent
