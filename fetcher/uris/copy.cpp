#include "fetcher/uris/copy.hpp"

#include <vector>

#include "kernel/file.hpp"

namespace gantry::fetcher {
namespace {

// Small enough for progress to be seen, large enough not to matter.
constexpr std::size_t kPiece = 8U << 20U;
constexpr std::size_t kBuffer = 256U << 10U;

}  // namespace

Result<Bytes> copyAll(const kernel::Fd& from, const kernel::Fd& to, const std::function<Result<void>(Bytes)>& copied) {
  Bytes done;
  while (true) {
    const auto count = kernel::copyRange(from, to, kPiece);
    // Not between these files; if the disk is full, writing will say so.
    if (!count || *count == 0) break;
    done.count += *count;
    TRY_VOID(copied(done));
  }
  // Files of procfs and its like have a size of 0, and are copied as empty ones by the kernel.
  std::vector<char> buffer(kBuffer);
  while (true) {
    TRY(const std::size_t count, kernel::readNext(from, buffer.data(), buffer.size()));
    if (count == 0) return done;
    TRY_VOID(kernel::writeAll(to, std::string_view(buffer.data(), count)));
    done.count += count;
    TRY_VOID(copied(done));
  }
}

}  // namespace gantry::fetcher
