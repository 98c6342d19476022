// For http/*.cpp only: bytes to messages and back. Parsing is Beast's, used as a codec.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "http/message.hpp"

namespace gantry::http {

// One request or response, taken in piece by piece. After an error it takes nothing more.
class Parser {
 public:
  virtual ~Parser() = default;
  // Takes the beginning of `input` and says how much; 0 means that more is needed. InvalidArgument for what is not
  // HTTP, Unsupported for another version of it, Exhausted for a header above the limit.
  virtual Result<std::size_t> put(std::string_view input) = 0;
  // After headerDone(): the connection has ended. InvalidArgument when that is inside the message.
  virtual Result<void> end() = 0;
  virtual bool headerDone() const = 0;
  // Nothing more belongs to this message.
  virtual bool done() const = 0;
  // What came of the body since the last call, without its framing.
  virtual std::string takeBody() = 0;

  // After headerDone():
  virtual std::string method() const = 0;  // of a request
  virtual std::string target() const = 0;  // of a request
  virtual int status() const = 0;          // of a response
  virtual Headers headers() const = 0;
  // HTTP/1.1 rather than 1.0.
  virtual bool isHttp11() const = 0;
  virtual bool keepAlive() const = 0;
  virtual std::optional<std::uint64_t> contentLength() const = 0;
};

std::unique_ptr<Parser> requestParser(std::size_t headerLimit);
// A response to HEAD has no body, whatever its header says.
std::unique_ptr<Parser> responseParser(std::size_t headerLimit, bool toHead);

// The first line and the fields, with the empty line that ends them. Line ends in values become spaces.
std::string encodeHead(std::string_view firstLine, const Headers& headers);
// One chunk of a chunked body; `data` is not empty.
std::string encodeChunk(std::string_view data);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";
// The time as the Date field has it.
std::string httpDate();

}  // namespace gantry::http
