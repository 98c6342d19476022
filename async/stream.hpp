// A two-way stream of bytes: a TCP or Unix connection, a pair of pipes, or memory in tests.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "async/descriptor.hpp"
#include "async/task.hpp"
#include "kernel/socket.hpp"

namespace gantry::async {

// Who is at the other end.
struct Peer {
  // "127.0.0.1:40112" or "unix"; for log lines.
  std::string address;
  // Of a Unix socket's other end, when it connected.
  std::optional<kernel::PeerCredentials> credentials;
};

// One coroutine may read while another one writes; two readers or two writers at once are a bug. Destroying or closing
// it ends pending operations with Cancelled. Only used on the loop's thread.
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  // 1 to `limit` bytes, as soon as there are any; empty at the end of the stream.
  virtual Task<Result<std::string>> read(std::size_t limit) = 0;
  // All of `data`; waits while the other end does not take it. Unavailable when that is gone.
  virtual Task<Result<void>> write(std::string data) = 0;
  // The other end reads the end of the stream; reading goes on.
  virtual void closeWrite() = 0;
  virtual void close() = 0;
  virtual const Peer& peer() const = 0;
};

using StreamPtr = std::unique_ptr<ByteStream>;

// A stream over a connected stream socket.
StreamPtr streamOver(Descriptor socket, Peer peer);
// Two connected streams in memory; each direction holds `capacity` bytes before its writer waits.
std::pair<StreamPtr, StreamPtr> memoryStreams(Executor executor, std::size_t capacity = 64U << 10U);

}  // namespace gantry::async
