// User and group id maps of user namespaces (user_namespaces(7)).
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.hpp"
#include "kernel/fd.hpp"
#include "oci/spec.hpp"

namespace gantry::runtime {

// The text of /proc/<pid>/uid_map.
std::string formatIdMap(const std::vector<oci::IdMapping>& mappings);

// Writes both maps of a process in a new user namespace. Without CAP_SETGID (a rootless runtime) the group map needs
// "deny" in /proc/<pid>/setgroups first, which is done then.
Result<void> writeIdMaps(pid_t pid, const std::vector<oci::IdMapping>& uids, const std::vector<oci::IdMapping>& gids);

// A user namespace that exists only for its maps, for an idmapped mount.
Result<kernel::Fd> makeUserNamespace(const std::vector<oci::IdMapping>& uids, const std::vector<oci::IdMapping>& gids);

}  // namespace gantry::runtime
