#include "kernel/network.hpp"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <cerrno>
#include <cstring>

#include "kernel/fd.hpp"

namespace gantry::kernel {

Result<void> bringLoopbackUp() {
  const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return Error::fromErrno(errno, "make a socket");
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (::ioctl(socket.raw(), SIOCSIFFLAGS, &request) != 0) return Error::fromErrno(errno, "bring 'lo' up");
  return {};
}

}  // namespace gantry::kernel
