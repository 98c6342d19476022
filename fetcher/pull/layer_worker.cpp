#include "fetcher/pull/layer_worker.hpp"

#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <memory>
#include <thread>

#include <fmt/format.h>

#include "fetcher/pull/chunk_queue.hpp"
#include "fetcher/pull/confinement.hpp"
#include "fetcher/pull/decompress.hpp"
#include "fetcher/pull/hash.hpp"
#include "kernel/file.hpp"
#include "kernel/node.hpp"

namespace gantry::fetcher {
namespace {

constexpr std::size_t kReadSize = 256U << 10U;
constexpr std::size_t kBuffers = 6;
constexpr std::size_t kBufferSize = 512U << 10U;
constexpr auto kProgressInterval = std::chrono::milliseconds(100);

// The first field of a worker's packets.
constexpr std::string_view kProgress = "progress";    // read, written, entries
constexpr std::string_view kDirectory = "directory";  // path
constexpr std::string_view kLink = "link";            // path, target
constexpr std::string_view kUnpacked = "unpacked";    // read, written, entries
constexpr std::string_view kFailed = "failed";        // code, message

// The compressed bytes of the layer, hashed as they are read.
class BlobReader {
 public:
  BlobReader(const LayerJob& job, const BlobStream& blob) : job_(job), blob_(blob), buffer_(kReadSize) {
    if (job.digest) hasher_.emplace(job.digest->algorithm());
  }

  // From any thread: what is left is not worth reading.
  void stop() { stopped_ = true; }

  // Empty at the end.
  Result<std::string_view> next() {
    if (stopped_) return Error(Code::Cancelled, "the layer is not wanted any more");
    if (blob_.offset && count_ == job_.size) return std::string_view();
    TRY(const std::size_t count, read());
    count_ += count;
    if (count_ > job_.size) {
      return Error(Code::InvalidArgument, fmt::format("is larger than the {} bytes of its descriptor", job_.size));
    }
    const std::string_view data(buffer_.data(), count);
    if (hasher_) hasher_->update(data);
    return data;
  }

  // After the end.
  Result<void> verify() {
    if (count_ != job_.size) {
      return Error(Code::InvalidArgument, fmt::format("is truncated: has {} bytes, not {}", count_, job_.size));
    }
    if (!hasher_) return {};
    const oci::Digest actual = hasher_->finish();
    if (actual != *job_.digest) {
      return Error(Code::InvalidArgument, fmt::format("has the wrong digest: its content is {}", actual.text()));
    }
    return {};
  }

  std::uint64_t count() const { return count_; }

 private:
  Result<std::size_t> read() {
    if (!blob_.offset) return kernel::readNext(blob_.fd, buffer_.data(), buffer_.size());
    const std::size_t wanted = std::min<std::uint64_t>(buffer_.size(), job_.size - count_);
    return kernel::readAt(blob_.fd, buffer_.data(), wanted, *blob_.offset + count_);
  }

  const LayerJob& job_;
  const BlobStream& blob_;
  std::vector<char> buffer_;
  std::optional<Hasher> hasher_;
  std::atomic<std::uint64_t> count_ = 0;
  std::atomic<bool> stopped_ = false;
};

// Decompressed bytes on their way to the other thread, hashed and counted.
class TarSink final : public ByteSink {
 public:
  TarSink(ChunkQueue& queue, const LayerJob& job)
      : queue_(queue), hasher_(job.diffId.algorithm()), limit_(2 * job.limits.unpacked.count + (64U << 20U)) {}

  Result<std::span<char>> space() override {
    TRY(space_, queue_.space());
    return space_;
  }
  Result<void> produced(std::size_t count) override {
    hasher_.update(std::string_view(space_.data(), count));
    queue_.produced(count);
    count_ += count;
    if (count_ > limit_) return Error(Code::Exhausted, fmt::format("decompresses to more than {} bytes", limit_));
    return {};
  }
  oci::Digest finish() { return hasher_.finish(); }

 private:
  ChunkQueue& queue_;
  Hasher hasher_;
  std::span<char> space_;
  std::uint64_t count_ = 0;
  const std::uint64_t limit_;
};

Result<void> decompress(BlobReader& blob, TarSink& sink) {
  // The first bytes may come one by one.
  std::string first;
  while (first.size() < Decompressor::kMagicSize) {
    TRY(const std::string_view data, blob.next());
    if (data.empty()) break;
    first += data;
  }
  const auto decompressor = Decompressor::make(Decompressor::formatOf(first));
  TRY_VOID(decompressor->push(first, sink));
  while (true) {
    TRY(const std::string_view data, blob.next());
    if (data.empty()) return decompressor->finish();
    TRY_VOID(decompressor->push(data, sink));
  }
}

struct FeedResult {
  Result<void> blob;
  Result<void> stream;
  std::optional<oci::Digest> diffId;
};

// The reading thread.
FeedResult feed(BlobReader& blob, ChunkQueue& queue, const LayerJob& job) {
  FeedResult result;
  TarSink sink(queue, job);
  result.stream = decompress(blob, sink);
  if (result.stream) result.diffId = sink.finish();
  queue.finish(result.stream);
  const bool isTooMuch = !result.stream && result.stream.error().code() == Code::Exhausted;
  // What is wrong inside is often but the consequence of wrong bytes: read on, to be able to say so.
  while (!isTooMuch) {
    auto data = blob.next();
    if (!data) {
      result.blob = std::move(data).error();
      return result;
    }
    if (data->empty()) break;
  }
  if (!isTooMuch) result.blob = blob.verify();
  return result;
}

std::vector<std::string> progressFields(std::string_view kind, const BlobReader& blob, const LayerWriter& writer) {
  return {std::string(kind), std::to_string(blob.count()), std::to_string(writer.written().count),
          std::to_string(writer.entries())};
}

void say(const kernel::Fd& connection, const std::vector<std::string>& fields) {
  ignore(kernel::sendWithDescriptor(connection, joinFields(fields), {}), "the fetcher has ended; so shall we");
}

// The writing thread.
Result<void> write(TarReader& tar, LayerWriter& writer) {
  while (true) {
    TRY(const auto entry, tar.next());
    if (!entry) return {};
    TRY_VOID(writer.apply(*entry, tar));
  }
}

Result<LayerNeeds> unpack(const LayerJob& job, const BlobStream& blobStream, kernel::Fd root,
                          const kernel::Fd& connection, LayerProgress& final) {
  ChunkQueue queue(kBuffers, kBufferSize);
  BlobReader blob(job, blobStream);
  LayerWriter writer(std::move(root), job.limits);
  FeedResult fed;
  std::thread feeder([&] { fed = feed(blob, queue, job); });

  auto lastSaid = std::chrono::steady_clock::now();
  const auto source = [&]() -> Result<std::string_view> {
    const auto now = std::chrono::steady_clock::now();
    if (now - lastSaid >= kProgressInterval) {
      lastSaid = now;
      say(connection, progressFields(kProgress, blob, writer));
    }
    return queue.next();
  };
  Result<void> written;
  if (auto tar = TarReader::open(source)) {
    written = write(**tar, writer);
  } else {
    written = std::move(tar).error();
  }
  // What stands behind the end of the archive counts for the digest.
  while (written) {
    auto rest = source();
    if (!rest) written = std::move(rest).error();
    if (!rest || rest->empty()) break;
  }
  const bool isTooMuch = !written && written.error().code() == Code::Exhausted;
  if (isTooMuch) blob.stop();
  queue.giveUp();
  feeder.join();

  if (!isTooMuch) {
    TRY_VOID(std::move(fed.blob));
    if (fed.stream || fed.stream.error().code() != Code::Cancelled) TRY_VOID(std::move(fed.stream));
  }
  TRY_VOID(std::move(written));
  ENSURE(fed.diffId, "a layer was written whole without having been read whole");
  if (*fed.diffId != job.diffId) {
    return Error(Code::InvalidArgument, fmt::format("unpacks to {}, not to the diff id {} of the image's configuration",
                                                    fed.diffId->text(), job.diffId.text()));
  }
  final = {Bytes{blob.count()}, writer.written(), writer.entries()};
  return writer.finish();
}

Result<void> work(const LayerJob& job, const BlobStream& blob, const kernel::Fd& directory,
                  const kernel::Fd& connection) {
  TRY(kernel::Fd root, lockInto(directory).under("confine the unpacker"));
  LayerProgress final;
  TRY(const LayerNeeds needs, unpack(job, blob, std::move(root), connection, final));
  for (const std::string& path : needs.directories) say(connection, {std::string(kDirectory), path});
  for (const auto& link : needs.links) say(connection, {std::string(kLink), link.path, link.target});
  say(connection, {std::string(kUnpacked), std::to_string(final.read.count), std::to_string(final.written.count),
                   std::to_string(final.entries)});
  return {};
}

std::uint64_t numberOf(const std::string& text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

LayerProgress progressOf(const std::vector<std::string>& fields) {
  return {Bytes{numberOf(fields[1])}, Bytes{numberOf(fields[2])}, numberOf(fields[3])};
}

}  // namespace

Result<LayerWorker> LayerWorker::start(const LayerJob& job, const BlobStream& blob, const kernel::Fd& directory) {
  TRY(auto child, Child::start({&blob.fd, &directory}, [&](const kernel::Fd& connection) {
        kernel::setFileModeMask(0);
        const auto worked = work(job, blob, directory, connection);
        if (worked) return;
        auto fields = errorFields(worked.error());
        fields.insert(fields.begin(), std::string(kFailed));
        say(connection, fields);
      }));
  return LayerWorker(std::move(child));
}

Result<std::optional<std::variant<LayerProgress, LayerUnpacked>>> LayerWorker::receive() {
  using Answer = std::variant<LayerProgress, LayerUnpacked>;
  TRY(const auto fields, child_.receive());
  if (fields.empty()) return Error(Code::Internal, "the unpacker ended unexpectedly");
  if (fields[0] == kFailed) return errorFromFields(fields, 1);
  if (fields[0] == kDirectory && fields.size() == 2) {
    needs_.directories.push_back(fields[1]);
    return std::optional<Answer>();
  }
  if (fields[0] == kLink && fields.size() == 3) {
    needs_.links.push_back({fields[1], fields[2]});
    return std::optional<Answer>();
  }
  if (fields.size() != 4) return Error(Code::Internal, "the unpacker speaks nonsense");
  if (fields[0] == kUnpacked) return std::optional<Answer>(LayerUnpacked{std::move(needs_), progressOf(fields)});
  return std::optional<Answer>(progressOf(fields));
}

}  // namespace gantry::fetcher
