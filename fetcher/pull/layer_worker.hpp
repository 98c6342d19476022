// Unpacks one layer in a process that can reach nothing but the layer's directory. Two threads share the work: one
// reads, hashes and decompresses, the other one takes the archive apart and writes.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include "base/result.hpp"
#include "fetcher/pull/child.hpp"
#include "fetcher/pull/layer_writer.hpp"
#include "kernel/fd.hpp"
#include "oci/digest.hpp"

namespace gantry::fetcher {

// Where a layer's bytes come from: a pipe, or a part of a file.
struct BlobStream {
  kernel::Fd fd;
  // Unset: read from where the descriptor stands.
  std::optional<std::uint64_t> offset;
};

struct LayerJob {
  // What the bytes that are read must be. Unset for docker-archive, which names the diff id only.
  std::optional<oci::Digest> digest;
  std::uint64_t size = 0;
  // What they must be when decompressed.
  oci::Digest diffId;
  LayerWriter::Limits limits;
};

struct LayerProgress {
  Bytes read;
  Bytes written;
  std::uint64_t entries = 0;
};

// The layer is whole in its directory, but for its needs.
struct LayerUnpacked {
  LayerNeeds needs;
  LayerProgress final;
};

class LayerWorker {
 public:
  // Starts on `directory`, which is empty.
  static Result<LayerWorker> start(const LayerJob& job, const BlobStream& blob, const kernel::Fd& directory);

  // For poll: readable when receive() has something to say.
  const kernel::Fd& connection() const { return child_.connection(); }
  // Nothing when there was only a part of an answer. Errors are the layer's (wrong digest, broken archive, …) or ours.
  Result<std::optional<std::variant<LayerProgress, LayerUnpacked>>> receive();

 private:
  explicit LayerWorker(Child child) : child_(std::move(child)) {}

  Child child_;
  LayerNeeds needs_;
};

}  // namespace gantry::fetcher
