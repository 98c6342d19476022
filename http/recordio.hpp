// RecordIO, the framing of Mesos' streams: the length in decimal, a line feed, and that many bytes. Records and the
// pieces of an HTTP body do not fall together.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "http/message.hpp"

namespace gantry::http {

std::string encodeRecord(std::string_view data);

// Takes bytes as they come and gives back whole records.
class RecordDecoder {
 public:
  explicit RecordDecoder(std::size_t limit = 16U << 20U) : limit_(limit) {}

  void feed(std::string_view data) { buffer_.append(data); }
  // The next record, or nothing when it is not complete yet. InvalidArgument for a malformed length, Exhausted for one
  // above the limit; after an error every further call fails likewise.
  Result<std::optional<std::string>> next();
  // True between two records: a stream may end here.
  bool isAtBoundary() const { return offset_ == buffer_.size(); }

 private:
  std::size_t limit_;
  std::string buffer_;
  std::size_t offset_ = 0;
};

// The records of a body, one by one. Only used on the loop's thread; outlives its pending next().
class RecordReader {
 public:
  explicit RecordReader(BodyReaderPtr body, std::size_t limit = 16U << 20U) : body_(std::move(body)), decoder_(limit) {}

  // Nothing at the end of the body. Errors as RecordDecoder::next and BodyReader::read; a body that ends inside a
  // record is InvalidArgument.
  async::Task<Result<std::optional<std::string>>> next();

 private:
  BodyReaderPtr body_;
  RecordDecoder decoder_;
};

}  // namespace gantry::http
