#include "async/stream.hpp"

#include <algorithm>

#include "async/event.hpp"

namespace gantry::async {
namespace {

class SocketStream : public ByteStream {
 public:
  SocketStream(Descriptor socket, Peer peer) : socket_(std::move(socket)), peer_(std::move(peer)) {}

  Task<Result<std::string>> read(std::size_t limit) override { return socket_.read(limit); }
  Task<Result<void>> write(std::string data) override { return socket_.write(std::move(data)); }
  void closeWrite() override { kernel::closeWrite(socket_.fd()); }
  void close() override { socket_.close(); }
  const Peer& peer() const override { return peer_; }

 private:
  Descriptor socket_;
  Peer peer_;
};

// One direction of a pair in memory.
struct Lane {
  Lane(const Executor& executor, std::size_t limit) : capacity(limit), changed(executor) {}

  std::size_t capacity;
  std::string data;
  bool ended = false;   // by the writer
  bool broken = false;  // by the reader
  Notification changed;
};
using LanePtr = std::shared_ptr<Lane>;

Task<Result<std::string>> readLane(LanePtr lane, std::size_t limit) {
  while (lane->data.empty() && !lane->ended) {
    if (lane->broken) co_return Error(Code::Cancelled, "cancelled");
    CO_TRY_VOID(co_await lane->changed.after(lane->changed.count()));
  }
  std::string piece = lane->data.substr(0, limit);
  lane->data.erase(0, piece.size());
  lane->changed.notify();
  co_return piece;
}

Task<Result<void>> writeLane(LanePtr lane, std::string data) {
  std::size_t done = 0;
  while (done < data.size()) {
    if (lane->broken || lane->ended) co_return Error(Code::Unavailable, "write: the other end is gone");
    const std::size_t room = lane->capacity - std::min(lane->capacity, lane->data.size());
    if (room == 0) {
      CO_TRY_VOID(co_await lane->changed.after(lane->changed.count()));
      continue;
    }
    const std::size_t count = std::min(room, data.size() - done);
    lane->data.append(data, done, count);
    done += count;
    lane->changed.notify();
  }
  co_return Result<void>();
}

class MemoryStream : public ByteStream {
 public:
  MemoryStream(LanePtr in, LanePtr out) : in_(std::move(in)), out_(std::move(out)) {}
  MemoryStream(const MemoryStream&) = delete;
  MemoryStream& operator=(const MemoryStream&) = delete;
  ~MemoryStream() override { MemoryStream::close(); }

  Task<Result<std::string>> read(std::size_t limit) override { return readLane(in_, limit); }
  Task<Result<void>> write(std::string data) override { return writeLane(out_, std::move(data)); }
  void closeWrite() override {
    out_->ended = true;
    out_->changed.notify();
  }
  void close() override {
    closeWrite();
    in_->broken = true;
    in_->changed.notify();
  }
  const Peer& peer() const override { return peer_; }

 private:
  LanePtr in_;
  LanePtr out_;
  Peer peer_{"memory", std::nullopt};
};

}  // namespace

StreamPtr streamOver(Descriptor socket, Peer peer) {
  return std::make_unique<SocketStream>(std::move(socket), std::move(peer));
}

std::pair<StreamPtr, StreamPtr> memoryStreams(Executor executor, std::size_t capacity) {
  const auto there = std::make_shared<Lane>(executor, capacity);
  const auto back = std::make_shared<Lane>(executor, capacity);
  return {std::make_unique<MemoryStream>(there, back), std::make_unique<MemoryStream>(back, there)};
}

}  // namespace gantry::async
