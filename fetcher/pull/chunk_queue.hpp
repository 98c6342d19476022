// A bounded stream of bytes from one thread to another one, without copies: the writer fills buffers, the reader looks
// at them. Between them a layer is decompressed while it is unpacked.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace gantry::fetcher {

// One writer thread, one reader thread.
class ChunkQueue {
 public:
  ChunkQueue(std::size_t buffers, std::size_t bufferSize);

  // Writer: the free part of the current buffer, never empty; waits for the reader when all buffers are full. Cancelled
  // once the reader gave up.
  Result<std::span<char>> space();
  // Writer: the first `count` bytes of what space() returned are filled.
  void produced(std::size_t count);
  // Writer: the end of the stream, or the error that the reader gets after the bytes before it.
  void finish(Result<void> how);

  // Reader: the next bytes, valid until the next call; empty at the end. Waits for the writer.
  Result<std::string_view> next();
  // Reader: nothing more will be read.
  void giveUp();

 private:
  struct Buffer {
    std::vector<char> bytes;
    std::size_t filled = 0;
  };

  void handOver();

  std::mutex mutex_;
  std::condition_variable changed_;
  const std::size_t bufferSize_;
  std::vector<std::unique_ptr<Buffer>> free_;
  std::deque<std::unique_ptr<Buffer>> full_;
  std::unique_ptr<Buffer> writing_;  // the writer's own
  std::unique_ptr<Buffer> reading_;  // the reader's own
  std::optional<Result<void>> finished_;
  bool gaveUp_ = false;
};

}  // namespace gantry::fetcher
