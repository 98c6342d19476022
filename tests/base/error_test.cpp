#include <gtest/gtest.h>

#include <cerrno>
#include <memory>

#include "base/result.hpp"

namespace gantry {
namespace {

Result<int> half(int number) {
  if (number % 2 != 0) return Error::invalid("number", "is odd");
  return number / 2;
}

Result<int> quarter(int number) {
  TRY(const int once, half(number));
  TRY(const int twice, half(once).under("second half"));
  return twice;
}

Result<void> check(int number) {
  TRY_VOID(quarter(number));
  return {};
}

TEST(Error, NamesOperationAndErrno) {
  const Error error = Error::fromErrno(ENOENT, "open 'x'");
  EXPECT_EQ(error.code(), Code::NotFound);
  EXPECT_EQ(error.number(), ENOENT);
  EXPECT_EQ(error.message(), "open 'x': No such file or directory");
  EXPECT_EQ(error.under("usage of 'web'").message(), "usage of 'web': open 'x': No such file or directory");
}

TEST(Result, CarriesTheFirstErrorOut) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_EQ(quarter(6).error().message(), "second half: number: is odd");
  EXPECT_TRUE(check(4));
  EXPECT_EQ(check(3).error().message(), "number: is odd");
}

TEST(Result, HoldsMoveOnlyValues) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(7);
  const std::unique_ptr<int> taken = *std::move(result);
  EXPECT_EQ(*taken, 7);
}

TEST(ResultDeathTest, AbortsWhenAnErrorIsReadAsAValue) {
  EXPECT_DEATH((void)*half(3), "value\\(\\) of a failed Result");
  EXPECT_DEATH((void)half(2).error(), "error\\(\\) of a successful Result");
}

}  // namespace
}  // namespace gantry
