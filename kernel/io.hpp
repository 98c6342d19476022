// Reading and writing descriptors that may not block. "Would block" is not an error but an empty optional.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "kernel/fd.hpp"

namespace gantry::kernel {

Result<void> setNonBlocking(const Fd& fd);
// read(2): 1 to `limit` bytes; empty at the end. EIO of a terminal whose other side is gone is an end, too.
Result<std::optional<std::string>> readSome(const Fd& fd, std::size_t limit);
// pread(2): up to `limit` bytes from `offset`, fewer at the end of the file; its position stays.
Result<std::string> readFrom(const Fd& file, std::uint64_t offset, std::size_t limit);
// write(2), or send(2) with MSG_NOSIGNAL for a socket: how much was taken. Unavailable when nobody reads any more.
Result<std::optional<std::size_t>> writeSome(const Fd& fd, std::string_view data);

}  // namespace gantry::kernel
