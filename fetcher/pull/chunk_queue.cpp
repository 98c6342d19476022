#include "fetcher/pull/chunk_queue.hpp"

namespace gantry::fetcher {

ChunkQueue::ChunkQueue(std::size_t buffers, std::size_t bufferSize) : bufferSize_(bufferSize) {
  for (std::size_t i = 0; i < buffers; ++i) {
    free_.push_back(std::make_unique<Buffer>());
    free_.back()->bytes.resize(bufferSize);
  }
}

Result<std::span<char>> ChunkQueue::space() {
  if (!writing_) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return gaveUp_ || !free_.empty(); });
    if (gaveUp_) return Error(Code::Cancelled, "nobody reads the layer any more");
    writing_ = std::move(free_.back());
    free_.pop_back();
    writing_->filled = 0;
  }
  return std::span(writing_->bytes).subspan(writing_->filled);
}

void ChunkQueue::produced(std::size_t count) {
  writing_->filled += count;
  if (writing_->filled == bufferSize_) handOver();
}

void ChunkQueue::handOver() {
  const std::lock_guard lock(mutex_);
  full_.push_back(std::move(writing_));
  changed_.notify_all();
}

void ChunkQueue::finish(Result<void> how) {
  if (writing_ && writing_->filled > 0) handOver();
  const std::lock_guard lock(mutex_);
  finished_ = std::move(how);
  changed_.notify_all();
}

Result<std::string_view> ChunkQueue::next() {
  std::unique_lock lock(mutex_);
  if (reading_) {
    free_.push_back(std::move(reading_));
    changed_.notify_all();
  }
  changed_.wait(lock, [&] { return finished_ || !full_.empty(); });
  if (full_.empty()) {
    if (!*finished_) return finished_->error();
    return std::string_view();
  }
  reading_ = std::move(full_.front());
  full_.pop_front();
  return std::string_view(reading_->bytes.data(), reading_->filled);
}

void ChunkQueue::giveUp() {
  const std::lock_guard lock(mutex_);
  gaveUp_ = true;
  changed_.notify_all();
}

}  // namespace gantry::fetcher
