// How much this machine has.
#pragma once

#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace gantry::kernel {

// sysconf(_SC_NPROCESSORS_ONLN); at least 1.
unsigned onlineCpus();
// sysinfo: the memory that the kernel manages, without swap.
Result<Bytes> totalMemory();
// statvfs: the size of the file system that `path` is on, with what is reserved for root.
Result<Bytes> fileSystemSize(const std::string& path);

}  // namespace gantry::kernel
