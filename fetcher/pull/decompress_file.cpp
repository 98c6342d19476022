#include "fetcher/pull/decompress_file.hpp"

#include <fcntl.h>

#include <memory>
#include <span>
#include <vector>

#include <fmt/format.h>

#include "fetcher/pull/child.hpp"
#include "fetcher/pull/confinement.hpp"
#include "fetcher/pull/decompress.hpp"
#include "kernel/file.hpp"

namespace gantry::fetcher {
namespace {

constexpr std::size_t kBuffer = 256U << 10U;

class FileSink final : public ByteSink {
 public:
  FileSink(const kernel::Fd& file, const std::function<Result<void>(std::size_t)>& more)
      : file_(file), more_(more), buffer_(kBuffer) {}

  Result<std::span<char>> space() override { return std::span<char>(buffer_); }
  Result<void> produced(std::size_t count) override {
    TRY_VOID(more_(count));
    return kernel::writeAll(file_, std::string_view(buffer_.data(), count));
  }

 private:
  const kernel::Fd& file_;
  const std::function<Result<void>(std::size_t)>& more_;
  std::vector<char> buffer_;
};

// In the child.
Result<void> decompressAsNobody(const kernel::Fd& packed, const kernel::Fd& into, Bytes limit) {
  TRY_VOID(becomeNobody().under("confine the decompressor"));
  Bytes total;
  return decompressFile(packed, into, [&](std::size_t count) -> Result<void> {
    total.count += count;
    if (total > limit) return Error(Code::Exhausted, fmt::format("decompresses to more than {}", toString(limit)));
    return {};
  });
}

}  // namespace

Result<void> decompressFile(const kernel::Fd& packed, const kernel::Fd& into,
                            const std::function<Result<void>(std::size_t)>& more) {
  FileSink sink(into, more);
  std::vector<char> buffer(kBuffer);
  std::unique_ptr<Decompressor> decompressor;
  std::uint64_t offset = 0;
  while (true) {
    TRY(const std::size_t count, kernel::readAt(packed, buffer.data(), buffer.size(), offset));
    const std::string_view data(buffer.data(), count);
    if (!decompressor) {
      const auto format = Decompressor::formatOf(data);
      if (format == Decompressor::Format::None) {
        return Error(Code::InvalidArgument, "is compressed by neither gzip nor zstd");
      }
      decompressor = Decompressor::make(format);
    }
    if (count == 0) return decompressor->finish();
    TRY_VOID(decompressor->push(data, sink));
    offset += count;
  }
}

Result<kernel::Fd> decompressBeside(const kernel::Fd& packed, const std::string& directory, Bytes limit) {
  TRY(kernel::Fd into, kernel::open(directory, O_TMPFILE | O_RDWR, 0600));
  TRY(const auto child, Child::start({&packed, &into}, [&](const kernel::Fd& connection) {
        const auto done = decompressAsNobody(packed, into, limit);
        auto fields = done ? std::vector<std::string>{"done"} : errorFields(done.error());
        ignore(kernel::sendWithDescriptor(connection, joinFields(fields), {}), "the fetcher has ended; so shall we");
      }));
  TRY(const auto fields, child.receive());
  if (fields.empty()) return Error(Code::Internal, "the decompressor ended unexpectedly");
  if (fields[0] != "done") return errorFromFields(fields, 0);
  TRY_VOID(kernel::rewind(into));
  return into;
}

}  // namespace gantry::fetcher
