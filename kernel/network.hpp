// The little that a container runtime does to network interfaces itself.
#pragma once

#include "base/result.hpp"

namespace gantry::kernel {

// Sets IFF_UP on "lo" of the calling process's network namespace; the kernel then gives it 127.0.0.1 and ::1.
Result<void> bringLoopbackUp();

}  // namespace gantry::kernel
