#include "fetcher/pull/decompress.hpp"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>
#include <isa-l/igzip_lib.h>
#include <zstd.h>

namespace gantry::fetcher {
namespace {

Error broken(std::string reason) {
  return {Code::InvalidArgument, std::move(reason)};
}

class Plain final : public Decompressor {
 public:
  Result<void> push(std::string_view data, ByteSink& sink) override {
    while (!data.empty()) {
      TRY(const auto space, sink.space());
      const std::size_t count = std::min(space.size(), data.size());
      std::memcpy(space.data(), data.data(), count);
      TRY_VOID(sink.produced(count));
      data.remove_prefix(count);
    }
    return {};
  }
  Result<void> finish() override { return {}; }
};

// With ISA-L: four times as fast as zlib. It checks each member's CRC and length.
class Gzip final : public Decompressor {
 public:
  Gzip() {
    isal_inflate_init(state_.get());
    state_->crc_flag = ISAL_GZIP;
  }

  Result<void> push(std::string_view data, ByteSink& sink) override {
    state_->next_in = reinterpret_cast<std::uint8_t*>(const_cast<char*>(data.data()));
    state_->avail_in = static_cast<std::uint32_t>(data.size());
    while (true) {
      if (state_->block_state == ISAL_BLOCK_FINISH) {
        if (state_->avail_in == 0) return {};
        isal_inflate_reset(state_.get());
        state_->crc_flag = ISAL_GZIP;
      }
      TRY(const auto space, sink.space());
      state_->next_out = reinterpret_cast<std::uint8_t*>(space.data());
      state_->avail_out = static_cast<std::uint32_t>(space.size());
      const int status = isal_inflate(state_.get());
      if (status != ISAL_DECOMP_OK) return describe(status);
      const std::size_t count = space.size() - state_->avail_out;
      if (count > 0) TRY_VOID(sink.produced(count));
      // With room left in the output, all input was used or the member has ended.
      if (state_->block_state != ISAL_BLOCK_FINISH && state_->avail_in == 0 && state_->avail_out > 0) return {};
    }
  }

  Result<void> finish() override {
    if (state_->block_state != ISAL_BLOCK_FINISH) return broken("the gzip data is truncated");
    return {};
  }

 private:
  static Error describe(int status) {
    switch (status) {
      case ISAL_INCORRECT_CHECKSUM:
        return broken("the checksum in the gzip data is wrong");
      case ISAL_INVALID_WRAPPER:
      case ISAL_UNSUPPORTED_METHOD:
        return broken("what follows is no gzip member");
      default:
        return broken(fmt::format("the gzip data is corrupt ({})", status));
    }
  }

  std::unique_ptr<inflate_state> state_ = std::make_unique<inflate_state>();
};

class Zstd final : public Decompressor {
 public:
  // Frames that ask for more memory than this are refused; `zstd --ultra --long=27` needs 128 MiB.
  static constexpr int kMaxWindowLog = 27;

  Zstd() : stream_(ZSTD_createDStream()) {
    ENSURE(stream_ != nullptr, "zstd cannot be set up");
    ZSTD_DCtx_setParameter(stream_.get(), ZSTD_d_windowLogMax, kMaxWindowLog);
  }

  Result<void> push(std::string_view data, ByteSink& sink) override {
    ZSTD_inBuffer input{data.data(), data.size(), 0};
    while (true) {
      TRY(const auto space, sink.space());
      ZSTD_outBuffer output{space.data(), space.size(), 0};
      const std::size_t before = input.pos;
      const std::size_t hint = ZSTD_decompressStream(stream_.get(), &output, &input);
      if (ZSTD_isError(hint) != 0) return broken(fmt::format("the zstd data is corrupt: {}", ZSTD_getErrorName(hint)));
      if (input.pos > before || output.pos > 0) insideFrame_ = hint != 0;
      if (output.pos > 0) TRY_VOID(sink.produced(output.pos));
      if (input.pos == input.size && output.pos < output.size) return {};
    }
  }

  Result<void> finish() override {
    if (insideFrame_) return broken("the zstd data is truncated");
    return {};
  }

 private:
  struct Free {
    void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
  };

  std::unique_ptr<ZSTD_DStream, Free> stream_;
  bool insideFrame_ = true;
};

}  // namespace

Decompressor::Format Decompressor::formatOf(std::string_view firstBytes) {
  constexpr std::string_view kGzip("\x1f\x8b\x08", 3);
  constexpr std::string_view kZstd("\x28\xb5\x2f\xfd", 4);
  // Skippable frames: 0x184D2A50 to 0x184D2A5F, little endian.
  constexpr std::string_view kSkippable("\x2a\x4d\x18", 3);
  if (firstBytes.starts_with(kGzip)) return Format::Gzip;
  if (firstBytes.starts_with(kZstd)) return Format::Zstd;
  if (firstBytes.size() >= kMagicSize && (static_cast<unsigned char>(firstBytes[0]) & 0xf0U) == 0x50 &&
      firstBytes.substr(1).starts_with(kSkippable)) {
    return Format::Zstd;
  }
  return Format::None;
}

std::unique_ptr<Decompressor> Decompressor::make(Format format) {
  switch (format) {
    case Format::Gzip:
      return std::make_unique<Gzip>();
    case Format::Zstd:
      return std::make_unique<Zstd>();
    case Format::None:
      return std::make_unique<Plain>();
  }
  return std::make_unique<Plain>();
}

}  // namespace gantry::fetcher
