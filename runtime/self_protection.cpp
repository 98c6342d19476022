#include "runtime/self_protection.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <cerrno>
#include <climits>

#include "kernel/file.hpp"
#include "kernel/mount.hpp"

namespace gantry::runtime {
namespace {

constexpr const char* kSelf = "/proc/self/exe";
constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

bool isProtected(const kernel::Fd& self) {
  struct statvfs status{};
  if (::fstatvfs(self.raw(), &status) != 0) return false;
  if ((status.f_flag & ST_RDONLY) != 0) return true;
  const int seals = ::fcntl(self.raw(), F_GET_SEALS);
  return seals >= 0 && (seals & kSeals) == kSeals;
}

Result<kernel::Fd> readOnlyMount() {
  TRY(kernel::Fd tree, kernel::openTree(kernel::workingDirectory(), kSelf, OPEN_TREE_CLONE));
  struct mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  attributes.propagation = MS_PRIVATE;
  TRY_VOID(kernel::setMountAttributes(tree, attributes));
  return tree;
}

Result<kernel::Fd> sealedCopy(const kernel::Fd& self) {
  kernel::Fd copy(::memfd_create("gantry-runtime", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!copy) return Error::fromErrno(errno, "memfd_create");
  while (true) {
    const ssize_t count = ::sendfile(copy.raw(), self.raw(), nullptr, INT_MAX);
    if (count < 0) return Error::fromErrno(errno, "copy the runtime");
    if (count == 0) break;
  }
  if (::fcntl(copy.raw(), F_ADD_SEALS, kSeals) != 0) return Error::fromErrno(errno, "seal the runtime's copy");
  return copy;
}

}  // namespace

Result<void> runFromProtectedCopy(char** arguments) {
  TRY(const kernel::Fd self, kernel::open(kSelf, O_RDONLY));
  if (isProtected(self)) return {};
  auto copy = readOnlyMount();
  if (!copy) copy = sealedCopy(self);
  if (!copy) return copy.error();
  ::execveat(copy->raw(), "", arguments, environ, AT_EMPTY_PATH);
  return Error::fromErrno(errno, "run the protected copy of the runtime");
}

}  // namespace gantry::runtime
