#include "kernel/host.hpp"

#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace gantry::kernel {

unsigned onlineCpus() {
  return static_cast<unsigned>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
}

Result<Bytes> totalMemory() {
  struct sysinfo info{};
  if (::sysinfo(&info) != 0) return Error::fromErrno(errno, "sysinfo");
  return Bytes{static_cast<std::uint64_t>(info.totalram) * info.mem_unit};
}

Result<Bytes> fileSystemSize(const std::string& path) {
  struct statvfs status{};
  if (::statvfs(path.c_str(), &status) != 0) return Error::fromErrno(errno, "statvfs '" + path + "'");
  return Bytes{static_cast<std::uint64_t>(status.f_blocks) * status.f_frsize};
}

}  // namespace gantry::kernel
