// What went wrong: a code to branch on, the errno if a system call failed, and a sentence that names the object.
#pragma once

#include <string>
#include <string_view>

namespace gantry {

// The closed list of failures callers branch on.
enum class Code {
  NotFound,
  AlreadyExists,
  InvalidArgument,
  PermissionDenied,
  Busy,
  Exhausted,
  Timeout,
  Cancelled,
  Unavailable,
  Unsupported,
  Internal,
};

// "NotFound", … for logs and JSON.
std::string_view toString(Code code);
// The code that fits an errno, e.g. ENOENT is NotFound; Internal for what has no better one.
Code codeFromErrno(int number);

// A value: copies freely. The message is lower case without a full stop; the leaf names operation and object
// ("open 'memory.current': No such file or directory"), each layer above adds its own purpose once with under().
class [[nodiscard]] Error {
 public:
  Error(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  // `operation` is what was tried, e.g. "open 'memory.current'"; the errno's text is added.
  static Error fromErrno(int number, std::string_view operation);
  // An Error that names a bad input: "<field>: <reason>", code InvalidArgument.
  static Error invalid(std::string_view field, std::string_view reason);

  Code code() const { return code_; }
  // 0 when no system call failed.
  int number() const { return errno_; }
  const std::string& message() const { return message_; }

  // "<purpose>: <message>"; keeps code and errno.
  Error under(std::string_view purpose) &&;
  Error under(std::string_view purpose) const&;

 private:
  Code code_;
  int errno_ = 0;
  std::string message_;
};

// Prints the message to stderr and aborts; what ENSURE calls.
[[noreturn]] void abortWithBug(const char* file, int line, const char* condition, std::string_view message);

}  // namespace gantry

// A bug in Gantry, never something the outside world can cause: prints and aborts, in release builds too.
#define ENSURE(condition, message) \
  (static_cast<bool>(condition) ? void() : ::gantry::abortWithBug(__FILE__, __LINE__, #condition, message))
