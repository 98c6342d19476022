// What HTTP requests and responses are made of, for servers and clients alike.
#pragma once

#include <cstddef>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "async/stream.hpp"
#include "async/task.hpp"
#include "async/time.hpp"
#include "base/bytes.hpp"

namespace gantry::http {

// Whether both are the same but for the case of ASCII letters, as names and many values of fields are compared.
bool sameWord(std::string_view left, std::string_view right);

// Header fields in order; names compare without case. A value.
class Headers {
 public:
  Headers() = default;
  Headers(std::initializer_list<std::pair<std::string, std::string>> fields) : fields_(fields) {}

  // The first field of that name.
  std::optional<std::string_view> find(std::string_view name) const;
  bool has(std::string_view name) const { return find(name).has_value(); }
  // Replaces all fields of that name.
  void set(std::string_view name, std::string value);
  void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
  const std::vector<std::pair<std::string, std::string>>& all() const { return fields_; }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

// A message body as it comes in. One coroutine reads it. Only used on the loop's thread.
class BodyReader {
 public:
  virtual ~BodyReader() = default;
  // The next piece; empty at the end. Fails with Exhausted when the body is larger than the limit, Timeout when nothing
  // comes for too long, InvalidArgument for broken framing, Unavailable when the other end is gone before the end.
  virtual async::Task<Result<std::string>> read() = 0;
  // For bodies that are streams: no limit on their size, and none on the time between two pieces.
  virtual void expectStream() = 0;
};
using BodyReaderPtr = std::shared_ptr<BodyReader>;

// For handlers: the server's own limit on bodies is enough.
constexpr std::size_t kServersLimit = std::numeric_limits<std::size_t>::max();
// The whole body; errors as BodyReader::read, and Exhausted above `limit`.
async::Task<Result<std::string>> readAll(BodyReaderPtr body, std::size_t limit = 64U << 20U);

// What a server is asked. Handlers get it as a shared pointer to const; the body is read through `body`.
struct Request {
  // In upper case: "GET".
  std::string method;
  // As it was sent: "/files/read?path=a%20b".
  std::string target;
  // Without the query, decoded; empty segments are dropped: "//a//b" is "/a/b".
  std::string path;
  // Decoded. Of a name that comes twice the last one counts.
  std::map<std::string, std::string> query;
  // What stands in the place of the route's "{name}" segments, decoded.
  std::map<std::string, std::string> parameters;
  Headers headers;
  async::Peer peer;
  BodyReaderPtr body;
};
using RequestPtr = std::shared_ptr<const Request>;

// A response with its whole body; a value.
struct Response {
  int status = 200;
  Headers headers;
  std::string body;

  Response() = default;
  // Without a body.
  explicit Response(int code) : status(code) {}
  Response(int code, std::string contentType, std::string text) : status(code), body(std::move(text)) {
    headers.set("Content-Type", std::move(contentType));
  }
};

// `sentence` as text/plain.
Response textResponse(int status, std::string sentence);
// An error as the agent answers it: its message as text/plain. NotFound is 404, AlreadyExists and Busy 409,
// InvalidArgument and Unsupported 400, PermissionDenied 403, Exhausted 507, Timeout 504, Unavailable and Cancelled 503,
// Internal 500.
Response errorResponse(const Error& error);
// An error of BodyReader::read: Exhausted is 413, Timeout 408, everything else 400.
Response bodyErrorResponse(const Error& error);

// "Not Found" for 404; "Unknown" for what RFC 9110 does not name.
std::string_view reasonPhrase(int status);

// "%41" to "A"; with `plusIsSpace` (queries) "+" to " ". InvalidArgument for a malformed escape and for %00.
Result<std::string> percentDecode(std::string_view text, bool plusIsSpace = false);
// Everything but RFC 3986's unreserved characters as "%41": fits a path segment or a query value.
std::string percentEncode(std::string_view text);
// "a=1&b=x%20y". InvalidArgument as percentDecode.
Result<std::map<std::string, std::string>> parseQuery(std::string_view text);

}  // namespace gantry::http
