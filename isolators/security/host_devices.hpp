// The device nodes of the host, for privileged containers.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "oci/spec.hpp"

namespace gantry::isolators {

// The character and block devices below `directory` ("/dev"), with their numbers, modes and owners, sorted by path.
// Without what a container has for itself: terminals of /dev/pts, /dev/console, /dev/ptmx, and what is below /dev/shm,
// /dev/mqueue and /dev/fd. Symlinks are not followed.
Result<std::vector<oci::Device>> hostDevices(const std::string& directory);

}  // namespace gantry::isolators
