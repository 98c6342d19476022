// A host that has no file descriptor left.
#pragma once

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace gantry::tests {

// While it lives this process cannot open a descriptor; those that are open stay usable.
class WithoutDescriptors {
 public:
  WithoutDescriptors() {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    allow(1);  // poll(2) waits for no more than are allowed, and standard input is always open
  }
  WithoutDescriptors(const WithoutDescriptors&) = delete;
  WithoutDescriptors& operator=(const WithoutDescriptors&) = delete;
  ~WithoutDescriptors() { allow(before_.rlim_cur); }

 private:
  void allow(rlim_t count) const {
    const rlimit limit{count, before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  }

  rlimit before_{};
};

}  // namespace gantry::tests
