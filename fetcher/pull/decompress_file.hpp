// Whole files that are compressed: what gunzip does.
#pragma once

#include <functional>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "kernel/fd.hpp"

namespace gantry::fetcher {

// Writes what is in `packed`, gzip or zstd, to `into`. `more` is told of each piece before it is written, and ends it
// with its error. InvalidArgument when it is compressed by neither, or broken.
Result<void> decompressFile(const kernel::Fd& packed, const kernel::Fd& into,
                            const std::function<Result<void>(std::size_t)>& more);

// The same by an unprivileged child, into a file without a name in `directory`. More than `limit` is Exhausted.
Result<kernel::Fd> decompressBeside(const kernel::Fd& packed, const std::string& directory, Bytes limit);

}  // namespace gantry::fetcher
