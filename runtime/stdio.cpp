#include "runtime/stdio.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <cerrno>

namespace gantry::runtime {

Result<void> completeStdio() {
  for (int standard = 0; standard <= 2; ++standard) {
    if (::fcntl(standard, F_GETFD) >= 0) continue;
    // The lowest number that is free is this one.
    if (::open("/dev/null", O_RDWR) < 0)
      return Error::fromErrno(errno, "open '/dev/null'");  // NOLINT(android-cloexec-open): meant for the container
  }
  return {};
}

Result<void> giveStdioTo(uid_t uid) {
  if (uid == 0) return {};
  for (int standard = 0; standard <= 2; ++standard) {
    struct stat status{};
    if (::fstat(standard, &status) != 0) continue;  // closed by the caller, which is its business
    const bool isNull = S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3);
    if (isNull || status.st_uid == uid) continue;
    // The group stays: terminals belong to "tty" (runc does the same).
    if (::fchown(standard, uid, static_cast<gid_t>(-1)) == 0) continue;
    if (errno != EPERM && errno != EINVAL && errno != EROFS) return Error::fromErrno(errno, "give away stdio");
  }
  return {};
}

}  // namespace gantry::runtime
