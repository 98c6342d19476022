#include "runtime/console.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <unistd.h>
#include <cerrno>

#include "kernel/descriptor_passing.hpp"
#include "kernel/file.hpp"
#include "kernel/mount.hpp"
#include "kernel/terminal.hpp"

namespace gantry::runtime {

Result<Console> openConsole(const RootDirectory& root, const oci::Process& process) {
  TRY(const kernel::Fd directory, root.open("/dev/pts", O_PATH | O_DIRECTORY));
  TRY(const long type, kernel::fileSystemType(directory));
  if (type != DEVPTS_SUPER_MAGIC) {
    return Error(Code::InvalidArgument, "process.terminal: no devpts file system is mounted at /dev/pts");
  }
  Console console;
  TRY(console.master, kernel::openAt2(directory, "ptmx", O_RDWR | O_NOCTTY, RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS));
  TRY(console.terminal, kernel::openPeer(console.master));
  if (process.consoleSize) {
    const kernel::WindowSize size{static_cast<unsigned short>(process.consoleSize->height),
                                  static_cast<unsigned short>(process.consoleSize->width)};
    TRY_VOID(kernel::setWindowSize(console.master, size));
  }
  return console;
}

Result<void> mountConsole(const RootDirectory& root, const kernel::Fd& terminal) {
  TRY(const kernel::Fd target, root.openOrMakeFile("/dev/console"));
  TRY(const kernel::Fd copy, kernel::openTree(terminal, "", AT_EMPTY_PATH | OPEN_TREE_CLONE));
  return kernel::attachMount(copy, target).under("/dev/console");
}

Result<void> sendConsole(const kernel::Fd& socket, const kernel::Fd& master) {
  return kernel::sendWithDescriptor(socket, "/dev/ptmx", master).under("console socket");
}

Result<void> useTerminal(const kernel::Fd& terminal) {
  TRY_VOID(kernel::makeControllingTerminal(terminal));
  for (int standard = 0; standard <= 2; ++standard) {
    if (::dup2(terminal.raw(), standard) < 0) return Error::fromErrno(errno, "use the terminal");
  }
  return {};
}

}  // namespace gantry::runtime
