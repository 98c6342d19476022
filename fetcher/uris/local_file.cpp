#include "fetcher/uris/local_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include "fetcher/pull/child.hpp"
#include "fetcher/pull/confinement.hpp"
#include "kernel/descriptor_passing.hpp"
#include "kernel/file.hpp"

namespace gantry::fetcher {
namespace {

Result<kernel::Fd> openFile(const std::string& path) {
  // A pipe nobody writes to does not hold us up.
  TRY(kernel::Fd file, kernel::open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY));
  TRY(const struct stat status, kernel::statAt(file, "", AT_EMPTY_PATH));
  if (S_ISDIR(status.st_mode)) return Error(Code::InvalidArgument, "is a directory");
  if (!S_ISREG(status.st_mode)) return Error(Code::InvalidArgument, "is no regular file");
  return file;
}

Result<void> openAndSend(const std::string& path, const UriUser& user, const kernel::Fd& connection) {
  TRY_VOID(becomeUserAlone(user).under("become the task's user"));
  TRY(const kernel::Fd file, openFile(path));
  return kernel::sendWithDescriptor(connection, "opened", file);
}

}  // namespace

Result<kernel::Fd> openAsUser(const std::string& path, const UriUser& user) {
  TRY(const Child child, Child::start({}, [&](const kernel::Fd& connection) {
        const auto sent = openAndSend(path, user, connection);
        if (!sent) {
          ignore(kernel::sendWithDescriptor(connection, joinFields(errorFields(sent.error())), {}), "nobody listens");
        }
      }));
  TRY(auto packet, kernel::receiveWithDescriptor(child.connection(), kMaxPacket));
  if (packet.descriptor) return std::move(packet.descriptor);
  return errorFromFields(splitFields(packet.text), 0);
}

}  // namespace gantry::fetcher
