// Layers as they are transferred, turned back into tar: gzip (of any number of members), zstd (of any number of frames,
// skippable ones too) or nothing at all. What a layer is, is told by its first bytes and not by its media type: images
// in the wild mislabel.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace gantry::fetcher {

// Where the decompressed bytes go: a part of a buffer is asked for, filled, and handed over.
class ByteSink {
 public:
  virtual ~ByteSink() = default;
  // Not empty.
  virtual Result<std::span<char>> space() = 0;
  virtual Result<void> produced(std::size_t count) = 0;
};

class Decompressor {
 public:
  enum class Format { Gzip, Zstd, None };
  // Gzip and zstd by their magic numbers; anything else is None.
  static Format formatOf(std::string_view firstBytes);
  // How many bytes formatOf needs to be sure.
  static constexpr std::size_t kMagicSize = 4;
  static std::unique_ptr<Decompressor> make(Format format);

  virtual ~Decompressor() = default;
  // InvalidArgument when the data is broken; errors of the sink are passed on.
  virtual Result<void> push(std::string_view compressed, ByteSink& sink) = 0;
  // After all was pushed: InvalidArgument when the data stops in the middle.
  virtual Result<void> finish() = 0;
};

}  // namespace gantry::fetcher
