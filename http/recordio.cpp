#include "http/recordio.hpp"

#include <charconv>

#include <fmt/format.h>

namespace gantry::http {
namespace {

// The longest decimal number below 2^64.
constexpr std::size_t kLongestLength = 20;

}  // namespace

std::string encodeRecord(std::string_view data) {
  std::string record = fmt::format("{}\n", data.size());
  record.append(data);
  return record;
}

Result<std::optional<std::string>> RecordDecoder::next() {
  const std::string_view rest = std::string_view(buffer_).substr(offset_);
  const std::size_t lineEnd = rest.substr(0, kLongestLength + 1).find('\n');
  const std::string_view digits = rest.substr(0, std::min(lineEnd, kLongestLength + 1));
  std::uint64_t length = 0;
  const auto [stop, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  const bool complete = lineEnd != std::string_view::npos;
  const bool malformed = failure != std::errc() || stop != digits.data() + digits.size();
  if (malformed && (complete || !digits.empty())) {
    return Error(Code::InvalidArgument, fmt::format("'{}' is not the length of a record", digits));
  }
  if (!complete && digits.size() <= kLongestLength) return std::optional<std::string>();
  if (length > limit_ || !complete) {
    return Error(Code::Exhausted, fmt::format("a record of {} bytes is larger than {}", digits, limit_));
  }
  if (rest.size() - lineEnd - 1 < length) return std::optional<std::string>();
  std::string record(rest.substr(lineEnd + 1, length));
  offset_ += lineEnd + 1 + length;
  // Moving the rest to the front once it is the smaller part keeps this linear.
  if (offset_ > buffer_.size() / 2) {
    buffer_.erase(0, offset_);
    offset_ = 0;
  }
  return std::optional<std::string>(std::move(record));
}

async::Task<Result<std::optional<std::string>>> RecordReader::next() {
  while (true) {
    CO_TRY(auto record, decoder_.next());
    if (record) co_return record;
    CO_TRY(const std::string piece, co_await body_->read());
    if (!piece.empty()) {
      decoder_.feed(piece);
      continue;
    }
    if (decoder_.isAtBoundary()) co_return std::optional<std::string>();
    co_return Error(Code::InvalidArgument, "the stream ends inside a record");
  }
}

}  // namespace gantry::http
