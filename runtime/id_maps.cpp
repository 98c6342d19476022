#include "runtime/id_maps.hpp"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>
#include <csignal>

#include <fmt/format.h>

#include "kernel/clone.hpp"
#include "kernel/file.hpp"

namespace gantry::runtime {

std::string formatIdMap(const std::vector<oci::IdMapping>& mappings) {
  std::string text;
  for (const oci::IdMapping& mapping : mappings) {
    text += fmt::format("{} {} {}\n", mapping.containerId, mapping.hostId, mapping.size);
  }
  return text;
}

Result<void> writeIdMaps(pid_t pid, const std::vector<oci::IdMapping>& uids, const std::vector<oci::IdMapping>& gids) {
  TRY(const kernel::Fd process, kernel::open(fmt::format("/proc/{}", pid), O_PATH | O_DIRECTORY));
  if (!uids.empty()) {
    TRY_VOID(kernel::writeExistingAt(process, "uid_map", formatIdMap(uids)).under("linux.uidMappings"));
  }
  if (gids.empty()) return {};
  auto written = kernel::writeExistingAt(process, "gid_map", formatIdMap(gids));
  if (!written && written.error().code() == Code::PermissionDenied && ::geteuid() != 0) {
    TRY_VOID(kernel::writeExistingAt(process, "setgroups", "deny"));
    written = kernel::writeExistingAt(process, "gid_map", formatIdMap(gids));
  }
  return std::move(written).under("linux.gidMappings");
}

Result<kernel::Fd> makeUserNamespace(const std::vector<oci::IdMapping>& uids, const std::vector<oci::IdMapping>& gids) {
  TRY(kernel::Pipe pipe, kernel::pipe());
  TRY(kernel::Process holder, kernel::cloneProcess(CLONE_NEWUSER, kernel::Fd()));
  if (!holder) {
    // Holds the namespace until the other end of the pipe is closed.
    pipe.write.reset();
    char byte = 0;
    while (::read(pipe.read.raw(), &byte, 1) > 0) {
    }
    ::_exit(0);
  }
  const auto take = [&]() -> Result<kernel::Fd> {
    TRY_VOID(writeIdMaps(holder.pid(), uids, gids));
    return kernel::open(fmt::format("/proc/{}/ns/user", holder.pid()), O_RDONLY);
  };
  auto space = take();
  pipe.write.reset();
  ignore(holder.wait(), "it only held the namespace");
  return space;
}

}  // namespace gantry::runtime
