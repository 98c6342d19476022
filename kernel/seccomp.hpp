// seccomp(2).
#pragma once

#include <linux/filter.h>

#include <vector>

#include "base/result.hpp"
#include "kernel/fd.hpp"

namespace gantry::kernel {

// SECCOMP_SET_MODE_FILTER with SECCOMP_FILTER_FLAG_* flags: the calling thread (and with TSYNC all threads) runs under
// the program from now on. Needs no_new_privs or CAP_SYS_ADMIN. Gives the listener's descriptor with
// SECCOMP_FILTER_FLAG_NEW_LISTENER, else an empty one.
Result<Fd> installSeccompFilter(const std::vector<sock_filter>& program, unsigned flags);
// SECCOMP_GET_ACTION_AVAIL (Linux 4.14): whether this kernel knows the SECCOMP_RET_* action.
bool hasSeccompAction(unsigned action);

}  // namespace gantry::kernel
