#include "base/error.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>

namespace gantry {

std::string_view toString(Code code) {
  switch (code) {
    case Code::NotFound:
      return "NotFound";
    case Code::AlreadyExists:
      return "AlreadyExists";
    case Code::InvalidArgument:
      return "InvalidArgument";
    case Code::PermissionDenied:
      return "PermissionDenied";
    case Code::Busy:
      return "Busy";
    case Code::Exhausted:
      return "Exhausted";
    case Code::Timeout:
      return "Timeout";
    case Code::Cancelled:
      return "Cancelled";
    case Code::Unavailable:
      return "Unavailable";
    case Code::Unsupported:
      return "Unsupported";
    case Code::Internal:
      return "Internal";
  }
  return "Internal";
}

Code codeFromErrno(int number) {
  switch (number) {
    case ENOENT:
    case ESRCH:
    case ENODEV:
    case ENXIO:
      return Code::NotFound;
    case EEXIST:
    case ENOTEMPTY:
      return Code::AlreadyExists;
    case EINVAL:
    case ENOTDIR:
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
      return Code::InvalidArgument;
    case EPERM:
    case EACCES:
    case EROFS:
      return Code::PermissionDenied;
    case EBUSY:
    case EADDRINUSE:
    case ETXTBSY:
      return Code::Busy;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case EAGAIN:
      return Code::Exhausted;
    case ETIMEDOUT:
      return Code::Timeout;
    case ECANCELED:
      return Code::Cancelled;
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
    case EHOSTUNREACH:
    case ENETUNREACH:
      return Code::Unavailable;
    case ENOSYS:
    case EOPNOTSUPP:
      return Code::Unsupported;
    default:
      return Code::Internal;
  }
}

Error Error::fromErrno(int number, std::string_view operation) {
  Error error(codeFromErrno(number), fmt::format("{}: {}", operation, std::strerror(number)));
  error.errno_ = number;
  return error;
}

Error Error::invalid(std::string_view field, std::string_view reason) {
  return Error(Code::InvalidArgument, fmt::format("{}: {}", field, reason));
}

Error Error::under(std::string_view purpose) && {
  message_ = fmt::format("{}: {}", purpose, message_);
  return std::move(*this);
}

Error Error::under(std::string_view purpose) const& {
  return Error(*this).under(purpose);
}

void abortWithBug(const char* file, int line, const char* condition, std::string_view message) {
  fmt::print(stderr, "bug at {}:{}: {} ({})\n", file, line, message, condition);
  std::abort();
}

}  // namespace gantry
