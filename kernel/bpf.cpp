#include "kernel/bpf.hpp"

#include <sys/syscall.h>
#include <unistd.h>
#include <cerrno>

#include <array>
#include <string>

#include <fmt/format.h>

namespace gantry::kernel {
namespace {

constexpr std::size_t kMostPrograms = 64;

long bpf(int command, bpf_attr& attributes) {
  return ::syscall(SYS_bpf, command, &attributes, sizeof attributes);
}

std::uint64_t address(const void* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer);
}

}  // namespace

Result<Fd> loadBpfProgram(std::uint32_t type, const std::vector<bpf_insn>& instructions) {
  bpf_attr attributes{};
  attributes.prog_type = type;
  attributes.insns = address(instructions.data());
  attributes.insn_cnt = static_cast<std::uint32_t>(instructions.size());
  attributes.license = address("Apache-2.0");
  long raw = bpf(BPF_PROG_LOAD, attributes);
  if (raw >= 0) return Fd(static_cast<int>(raw));
  const int number = errno;
  if (number != EINVAL && number != EACCES) return Error::fromErrno(number, "load BPF program");
  std::string complaint(4096, '\0');
  attributes.log_buf = address(complaint.data());
  attributes.log_size = static_cast<std::uint32_t>(complaint.size());
  attributes.log_level = 1;
  raw = bpf(BPF_PROG_LOAD, attributes);
  if (raw >= 0) return Fd(static_cast<int>(raw));
  return Error::fromErrno(number, fmt::format("load BPF program (verifier: {})", complaint.c_str()));
}

Result<void> attachBpfProgram(const Fd& cgroup, std::uint32_t attachType, const Fd& program, const Fd& replaced) {
  bpf_attr attributes{};
  attributes.target_fd = static_cast<std::uint32_t>(cgroup.raw());
  attributes.attach_bpf_fd = static_cast<std::uint32_t>(program.raw());
  attributes.attach_type = attachType;
  attributes.attach_flags = BPF_F_ALLOW_MULTI;
  if (replaced) {
    attributes.attach_flags |= BPF_F_REPLACE;
    attributes.replace_bpf_fd = static_cast<std::uint32_t>(replaced.raw());
  }
  if (bpf(BPF_PROG_ATTACH, attributes) != 0) return Error::fromErrno(errno, "attach BPF program to cgroup");
  return {};
}

Result<void> detachBpfProgram(const Fd& cgroup, std::uint32_t attachType, const Fd& program) {
  bpf_attr attributes{};
  attributes.target_fd = static_cast<std::uint32_t>(cgroup.raw());
  attributes.attach_bpf_fd = static_cast<std::uint32_t>(program.raw());
  attributes.attach_type = attachType;
  if (bpf(BPF_PROG_DETACH, attributes) != 0) return Error::fromErrno(errno, "detach BPF program from cgroup");
  return {};
}

Result<std::vector<std::uint32_t>> attachedBpfPrograms(const Fd& cgroup, std::uint32_t attachType) {
  std::array<std::uint32_t, kMostPrograms> ids{};
  bpf_attr attributes{};
  attributes.query.target_fd = static_cast<std::uint32_t>(cgroup.raw());
  attributes.query.attach_type = attachType;
  attributes.query.prog_ids = address(ids.data());
  attributes.query.prog_cnt = ids.size();
  if (bpf(BPF_PROG_QUERY, attributes) != 0) return Error::fromErrno(errno, "list BPF programs of cgroup");
  return std::vector<std::uint32_t>(ids.begin(), ids.begin() + attributes.query.prog_cnt);
}

Result<Fd> openBpfProgram(std::uint32_t id) {
  bpf_attr attributes{};
  attributes.prog_id = id;
  const long raw = bpf(BPF_PROG_GET_FD_BY_ID, attributes);
  if (raw < 0) return Error::fromErrno(errno, fmt::format("open BPF program {}", id));
  return Fd(static_cast<int>(raw));
}

}  // namespace gantry::kernel
