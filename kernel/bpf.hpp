// bpf(2), as far as cgroup programs need it.
#pragma once

#include <linux/bpf.h>

#include <cstdint>
#include <vector>

#include "base/result.hpp"
#include "kernel/fd.hpp"

namespace gantry::kernel {

// BPF_PROG_LOAD. `type` is a BPF_PROG_TYPE_*. Needs CAP_BPF and, for cgroup programs, CAP_NET_ADMIN. The verifier's
// complaint is part of the error.
Result<Fd> loadBpfProgram(std::uint32_t type, const std::vector<bpf_insn>& instructions);
// BPF_PROG_ATTACH to a cgroup v2 directory, beside what is attached already (BPF_F_ALLOW_MULTI); with `replaced`, in
// its place, at once (BPF_F_REPLACE, Linux 5.6). The kernel keeps the program until the cgroup is gone.
Result<void> attachBpfProgram(const Fd& cgroup, std::uint32_t attachType, const Fd& program, const Fd& replaced);
Result<void> detachBpfProgram(const Fd& cgroup, std::uint32_t attachType, const Fd& program);
// BPF_PROG_QUERY: the programs attached to this very cgroup.
Result<std::vector<std::uint32_t>> attachedBpfPrograms(const Fd& cgroup, std::uint32_t attachType);
// BPF_PROG_GET_FD_BY_ID (CAP_SYS_ADMIN).
Result<Fd> openBpfProgram(std::uint32_t id);

}  // namespace gantry::kernel
