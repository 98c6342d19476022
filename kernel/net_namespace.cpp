#include "kernel/net_namespace.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>

#include <algorithm>

#include <fmt/format.h>

#include "kernel/fd.hpp"
#include "kernel/file.hpp"
#include "kernel/network.hpp"

namespace gantry::kernel {
namespace {

constexpr const char* kOwnNamespace = "/proc/thread-self/ns/net";

Result<Fd> controlSocket() {
  const int raw = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (raw < 0) return Error::fromErrno(errno, "open a socket for interfaces");
  return Fd(raw);
}

ifreq requestFor(const std::string& interface) {
  ifreq request{};
  std::copy_n(interface.data(), std::min<std::size_t>(interface.size(), IFNAMSIZ - 1), request.ifr_name);
  return request;
}

Result<void> setDown(const Fd& socket, const std::string& interface) {
  ifreq request = requestFor(interface);
  if (::ioctl(socket.raw(), SIOCGIFFLAGS, &request) != 0) {
    return Error::fromErrno(errno, fmt::format("read the flags of interface '{}'", interface));
  }
  request.ifr_flags = static_cast<short>(request.ifr_flags & ~IFF_UP);
  if (::ioctl(socket.raw(), SIOCSIFFLAGS, &request) != 0) {
    return Error::fromErrno(errno, fmt::format("take interface '{}' down", interface));
  }
  return {};
}

void comeBack(const Fd& home) {
  ENSURE(::setns(home.raw(), CLONE_NEWNET) == 0, "a thread is lost in another network namespace");
}

// In the new namespace.
Result<void> furnish(const std::string& path) {
  TRY_VOID(bringLoopbackUp());
  if (::mount(kOwnNamespace, path.c_str(), nullptr, MS_BIND, nullptr) != 0) {
    return Error::fromErrno(errno, fmt::format("mount a network namespace at '{}'", path));
  }
  return {};
}

}  // namespace

Result<void> createNetNamespace(const std::string& path) {
  TRY(const Fd home, open(kOwnNamespace, O_RDONLY));
  TRY(const Fd file, open(path, O_RDONLY | O_CREAT | O_EXCL, 0600));
  if (::unshare(CLONE_NEWNET) != 0) {
    const int number = errno;
    ignore(unlink(path), "the namespace is what failed");
    return Error::fromErrno(number, "make a network namespace");
  }
  const Result<void> made = furnish(path);
  comeBack(home);
  if (!made) ignore(unlink(path), "the namespace is what failed");
  return made;
}

Result<void> removeNetNamespace(const std::string& path) {
  // EINVAL: nothing is mounted there.
  if (::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0 && errno != EINVAL && errno != ENOENT) {
    return Error::fromErrno(errno, fmt::format("unmount '{}'", path));
  }
  auto removed = unlink(path);
  if (!removed && removed.error().code() != Code::NotFound) return removed;
  return {};
}

bool isNetNamespace(const std::string& path) {
  struct statfs status{};
  return ::statfs(path.c_str(), &status) == 0 && status.f_type == NSFS_MAGIC;
}

Result<void> inNetNamespace(const std::string& path, const std::function<Result<void>()>& function) {
  TRY(const Fd home, open(kOwnNamespace, O_RDONLY));
  TRY(const Fd there, open(path, O_RDONLY));
  if (::setns(there.raw(), CLONE_NEWNET) != 0) {
    return Error::fromErrno(errno, fmt::format("enter the network namespace '{}'", path));
  }
  const Result<void> done = function();
  comeBack(home);
  return done;
}

Result<void> removeBridge(const std::string& name) {
  TRY(const Fd socket, controlSocket());
  TRY_VOID(setDown(socket, name));
  if (::ioctl(socket.raw(), SIOCBRDELBR, requestFor(name).ifr_name) != 0) {
    return Error::fromErrno(errno, fmt::format("remove the bridge '{}'", name));
  }
  return {};
}

}  // namespace gantry::kernel
