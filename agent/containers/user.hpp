// Whom a container's program runs as: "name:group" and its variants, looked up in the container's own files.
#pragma once

#include <string>

#include "base/result.hpp"
#include "kernel/fd.hpp"
#include "oci/spec.hpp"

namespace gantry::agent {

struct ResolvedUser {
  oci::User user;
  // From /etc/passwd; "/" for a user who is not in it, "/root" for root.
  std::string home;
};

// `text` is "", "user", "uid", "user:group" or "uid:gid", in any mix; "" is root. What consists of digits is a number
// and never looked up as a name (CVE-2016-3697), and numbers end at 2^31-1 (CVE-2024-40635). A group that is named
// is the only one; without one the user has the primary group of /etc/passwd (group 0 when the uid is not in it) and
// the groups that list them in /etc/group. The additional groups always hold the primary one, so that giving it up
// cannot be used to get around a file that denies it (CVE-2022-2989).
//
// /etc/passwd and /etc/group are found below `rootfs` without leaving it by a symlink, must be regular files and have
// at most 1 MiB. A missing file is an empty one. InvalidArgument for a malformed text or a number out of range,
// NotFound for a name that does not exist; both quote it.
Result<ResolvedUser> resolveUser(const kernel::Fd& rootfs, const std::string& text);

}  // namespace gantry::agent
