// The seccomp profile that Docker users know.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "oci/spec.hpp"

namespace gantry::isolators {

// An allow-list: everything an ordinary program calls, without what reaches beyond the container or is rarely looked
// after in the kernel (keyrings, userfaultfd, io_uring, kernel modules, …). Calls that need a capability are allowed to
// those who have it in `capabilities` ("CAP_SYS_ADMIN", the bounding set); the kernel then checks it. `machine` is as
// uname(2) says it; its 32-bit relatives are allowed too. What is not on the list fails with EPERM, clone3 with ENOSYS,
// since its flags cannot be looked at and the C library then takes clone.
//
// The facts are those of the Docker engine's default profile, seccomp/default.json of github.com/moby/profiles, as of
// engine 29; docs/isolators/security.md tells how to compare.
oci::Seccomp defaultSeccomp(const std::vector<std::string>& capabilities, std::string_view machine);

}  // namespace gantry::isolators
