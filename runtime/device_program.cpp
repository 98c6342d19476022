#include "runtime/device_program.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <cstddef>

#include "kernel/bpf.hpp"
#include "kernel/file.hpp"

namespace gantry::runtime {
namespace {

// What the program keeps in which register; r1 is the context at entry, r0 the answer.
constexpr std::uint8_t kContext = BPF_REG_1;
constexpr std::uint8_t kType = BPF_REG_2;
constexpr std::uint8_t kAccess = BPF_REG_3;
constexpr std::uint8_t kMajor = BPF_REG_4;
constexpr std::uint8_t kMinor = BPF_REG_5;
constexpr std::uint8_t kScratch = BPF_REG_6;

bpf_insn instruction(int code, std::uint8_t destination, std::uint8_t source, int offset, std::int32_t immediate) {
  bpf_insn one{};
  one.code = static_cast<std::uint8_t>(code);
  one.dst_reg = destination & 0xFU;
  one.src_reg = source & 0xFU;
  one.off = static_cast<std::int16_t>(offset);
  one.imm = immediate;
  return one;
}

bpf_insn load(std::uint8_t destination, std::size_t offset) {
  return instruction(BPF_LDX | BPF_MEM | BPF_W, destination, kContext, static_cast<int>(offset), 0);
}

bpf_insn answer(bool grant) {
  return instruction(BPF_ALU | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, grant ? 1 : 0);
}

bpf_insn leave() {
  return instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

// 32-bit (Linux 5.1): the immediates of 64-bit jumps are sign-extended, and device numbers use all 32 bits.
bpf_insn jumpUnless(std::uint8_t reg, std::uint32_t value) {
  return instruction(BPF_JMP32 | BPF_JNE | BPF_K, reg, 0, 0, static_cast<std::int32_t>(value));
}

std::uint32_t bpfAccess(unsigned access) {
  std::uint32_t bits = 0;
  if ((access & DevicePolicy::kRead) != 0) bits |= BPF_DEVCG_ACC_READ;
  if ((access & DevicePolicy::kWrite) != 0) bits |= BPF_DEVCG_ACC_WRITE;
  if ((access & DevicePolicy::kMknod) != 0) bits |= BPF_DEVCG_ACC_MKNOD;
  return bits;
}

// The tests of one exception, each jumping behind its last instruction when it fails, then the answer.
void append(std::vector<bpf_insn>& program, const DevicePolicy::Exception& exception, bool allowByDefault) {
  std::vector<bpf_insn> block;
  block.push_back(
      jumpUnless(kType, exception.type == DevicePolicy::Type::Character ? BPF_DEVCG_DEV_CHAR : BPF_DEVCG_DEV_BLOCK));
  if (exception.major) block.push_back(jumpUnless(kMajor, *exception.major));
  if (exception.minor) block.push_back(jumpUnless(kMinor, *exception.minor));
  if (exception.access != DevicePolicy::kAll) {
    // An exception that grants must cover all of the access asked for; one that refuses needs to touch any.
    const std::uint32_t mask = bpfAccess(allowByDefault ? exception.access : DevicePolicy::kAll & ~exception.access);
    block.push_back(instruction(BPF_ALU | BPF_MOV | BPF_X, kScratch, kAccess, 0, 0));
    block.push_back(instruction(BPF_ALU | BPF_AND | BPF_K, kScratch, 0, 0, static_cast<std::int32_t>(mask)));
    block.push_back(instruction(BPF_JMP32 | (allowByDefault ? BPF_JEQ : BPF_JNE) | BPF_K, kScratch, 0, 0, 0));
  }
  block.push_back(answer(!allowByDefault));
  block.push_back(leave());
  for (std::size_t index = 0; index < block.size(); ++index) {
    const bool jumps = BPF_CLASS(block[index].code) == BPF_JMP32;
    if (jumps) block[index].off = static_cast<std::int16_t>(block.size() - index - 1);
  }
  program.insert(program.end(), block.begin(), block.end());
}

bool lacksPrivilege(const Error& error) {
  return error.code() == Code::PermissionDenied && isUnprivileged();
}

}  // namespace

bool isUnprivileged() {
  if (::geteuid() != 0) return true;
  // The identity map of the first user namespace is one line of 2^32 - 1 ids.
  const auto map = kernel::readFile("/proc/self/uid_map");
  return map && map->find("4294967295") == std::string::npos;
}

std::vector<bpf_insn> makeDeviceProgram(const DevicePolicy& policy) {
  std::vector<bpf_insn> program{
      load(kType, offsetof(bpf_cgroup_dev_ctx, access_type)),
      load(kAccess, offsetof(bpf_cgroup_dev_ctx, access_type)),
      load(kMajor, offsetof(bpf_cgroup_dev_ctx, major)),
      load(kMinor, offsetof(bpf_cgroup_dev_ctx, minor)),
      // access_type is (access << 16) | type.
      instruction(BPF_ALU | BPF_AND | BPF_K, kType, 0, 0, 0xFFFF),
      instruction(BPF_ALU | BPF_RSH | BPF_K, kAccess, 0, 0, 16),
  };
  for (const DevicePolicy::Exception& exception : policy.exceptions) append(program, exception, policy.allowByDefault);
  program.push_back(answer(policy.allowByDefault));
  program.push_back(leave());
  return program;
}

Result<void> attachDevicePolicy(const std::string& directory, const DevicePolicy& policy) {
  // The kernel asks every program of the group and of those above it; all must grant.
  TRY(const kernel::Fd cgroup, kernel::open(directory, O_RDONLY | O_DIRECTORY));
  std::vector<kernel::Fd> old;
  auto ids = kernel::attachedBpfPrograms(cgroup, BPF_CGROUP_DEVICE);
  if (!ids) return lacksPrivilege(ids.error()) ? Result<void>() : ids.error().under("linux.resources.devices");
  for (const std::uint32_t id : *ids) {
    TRY(kernel::Fd program, kernel::openBpfProgram(id));
    old.push_back(std::move(program));
  }
  const bool needsProgram = !policy.allowByDefault || !policy.exceptions.empty();
  if (needsProgram) {
    auto program = kernel::loadBpfProgram(BPF_PROG_TYPE_CGROUP_DEVICE, makeDeviceProgram(policy));
    if (!program) {
      return lacksPrivilege(program.error()) ? Result<void>() : program.error().under("linux.resources.devices");
    }
    const kernel::Fd none;
    TRY_VOID(kernel::attachBpfProgram(cgroup, BPF_CGROUP_DEVICE, *program, old.size() == 1 ? old.front() : none)
                 .under("linux.resources.devices"));
    if (old.size() == 1) return {};
  }
  for (const kernel::Fd& program : old) {
    TRY_VOID(kernel::detachBpfProgram(cgroup, BPF_CGROUP_DEVICE, program).under("linux.resources.devices"));
  }
  return {};
}

}  // namespace gantry::runtime
