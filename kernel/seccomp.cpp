#include "kernel/seccomp.hpp"

#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cerrno>

namespace gantry::kernel {

Result<Fd> installSeccompFilter(const std::vector<sock_filter>& program, unsigned flags) {
  sock_fprog given{static_cast<unsigned short>(program.size()), const_cast<sock_filter*>(program.data())};
  const long result = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &given);
  if (result < 0) return Error::fromErrno(errno, "load the seccomp filter");
  if ((flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) != 0) return Fd(static_cast<int>(result));
  // With TSYNC the id of the thread that could not follow.
  if (result > 0) return Error::fromErrno(ESRCH, "load the seccomp filter in all threads");
  return Fd();
}

bool hasSeccompAction(unsigned action) {
  return ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

}  // namespace gantry::kernel
