// Result<T>: a value or an Error, spelled like std::expected so that moving to it later is an alias.
#pragma once

#include <type_traits>
#include <utility>
#include <variant>

#include "base/error.hpp"

namespace gantry {

template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}
  template <typename U>
    requires(std::is_convertible_v<U &&, T> && !std::is_same_v<std::remove_cvref_t<U>, Result> &&
             !std::is_same_v<std::remove_cvref_t<U>, Error> && !std::is_same_v<std::remove_cvref_t<U>, T>)
  Result(U&& value) : state_(std::in_place_index<0>, std::forward<U>(value)) {}

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  T& value() & { return checked(); }
  const T& value() const& { return const_cast<Result*>(this)->checked(); }
  T&& value() && { return std::move(checked()); }
  T& operator*() & { return checked(); }
  const T& operator*() const& { return const_cast<Result*>(this)->checked(); }
  T&& operator*() && { return std::move(checked()); }
  T* operator->() { return &checked(); }
  const T* operator->() const { return &const_cast<Result*>(this)->checked(); }
  T value_or(T other) && { return has_value() ? std::move(checked()) : std::move(other); }

  const Error& error() const& { return const_cast<Result*>(this)->checkedError(); }
  Error&& error() && { return std::move(checkedError()); }

  // The same value, or the error with `purpose` in front of its message.
  Result under(std::string_view purpose) && {
    if (!has_value()) return std::move(checkedError()).under(purpose);
    return std::move(*this);
  }

 private:
  T& checked() {
    ENSURE(has_value(), "value() of a failed Result");
    return *std::get_if<0>(&state_);
  }
  Error& checkedError() {
    ENSURE(!has_value(), "error() of a successful Result");
    return *std::get_if<1>(&state_);
  }

  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() : error_(Code::Internal, {}) {}
  Result(Error error) : failed_(true), error_(std::move(error)) {}

  bool has_value() const { return !failed_; }
  explicit operator bool() const { return !failed_; }
  const Error& error() const& { return checkedError(); }
  Error&& error() && { return std::move(const_cast<Error&>(checkedError())); }

  Result under(std::string_view purpose) && {
    if (failed_) return std::move(error_).under(purpose);
    return std::move(*this);
  }

 private:
  const Error& checkedError() const {
    ENSURE(failed_, "error() of a successful Result");
    return error_;
  }

  bool failed_ = false;
  Error error_;
};

// Says that a result is dropped on purpose, and why that is right.
template <typename T>
void ignore(Result<T>&&, const char* /*reason*/) {}

}  // namespace gantry

#define GANTRY_CONCAT_(a, b) a##b
#define GANTRY_CONCAT(a, b) GANTRY_CONCAT_(a, b)
#define GANTRY_TRY_(result, leave, decl, ...)   \
  auto result = (__VA_ARGS__);                  \
  if (!result) leave std::move(result).error(); \
  decl = *std::move(result)
#define GANTRY_TRY_VOID_(result, leave, ...)      \
  do {                                            \
    auto result = (__VA_ARGS__);                  \
    if (!result) leave std::move(result).error(); \
  } while (false)

// TRY(auto file, openAt(…)): declares the value, or returns the error. The CO_ forms are for coroutines. They are
// statements because g++ 12 crashes on co_return inside an expression.
#define TRY(decl, ...) GANTRY_TRY_(GANTRY_CONCAT(tried_, __LINE__), return, decl, __VA_ARGS__)
#define TRY_VOID(...) GANTRY_TRY_VOID_(GANTRY_CONCAT(tried_, __LINE__), return, __VA_ARGS__)
#define CO_TRY(decl, ...) GANTRY_TRY_(GANTRY_CONCAT(tried_, __LINE__), co_return, decl, __VA_ARGS__)
#define CO_TRY_VOID(...) GANTRY_TRY_VOID_(GANTRY_CONCAT(tried_, __LINE__), co_return, __VA_ARGS__)
