#include "runtime/device_policy.hpp"

#include <gtest/gtest.h>
#include <linux/bpf.h>

#include <array>

#include <fmt/format.h>

#include "runtime/device_program.hpp"

namespace gantry::runtime {
namespace {

using Type = DevicePolicy::Type;
constexpr unsigned kRead = DevicePolicy::kRead;
constexpr unsigned kWrite = DevicePolicy::kWrite;
constexpr unsigned kMknod = DevicePolicy::kMknod;

oci::DeviceRule rule(bool allow, const char* type, std::optional<std::int64_t> major, std::optional<std::int64_t> minor,
                     const char* access) {
  return {allow, type, major, minor, access};
}
const oci::DeviceRule kDenyAll = rule(false, "a", {}, {}, "rwm");
const oci::DeviceRule kAllowAll = rule(true, "", -1, -1, "rwm");

std::vector<std::string> exceptions(const std::vector<oci::DeviceRule>& rules) {
  const auto policy = DevicePolicy::fromRules(rules);
  if (!policy) return {policy.error().message()};
  std::vector<std::string> lines{policy->allowByDefault ? "allow" : "deny"};
  for (const auto& one : policy->exceptions) lines.push_back(toString(one));
  return lines;
}
using Lines = std::vector<std::string>;

TEST(DevicePolicy, IsADefaultWithExceptions) {
  EXPECT_EQ(exceptions({}), Lines{"deny"});
  EXPECT_EQ(exceptions({kDenyAll, rule(true, "c", 1, 3, "rw"), rule(true, "b", 8, {}, "r")}),
            (Lines{"deny", "c 1:3 rw", "b 8:* r"}));
  EXPECT_EQ(exceptions({rule(true, "c", 1, 3, "rw"), kAllowAll, rule(false, "c", 10, 200, "rwm")}),
            (Lines{"allow", "c 10:200 rwm"}));
}

TEST(DevicePolicy, MergesAndTakesBack) {
  EXPECT_EQ(exceptions({rule(true, "c", 1, 3, "r"), rule(true, "u", 1, 3, "wm")}), (Lines{"deny", "c 1:3 rwm"}));
  EXPECT_EQ(exceptions({rule(true, "c", 1, 3, "rwm"), rule(false, "c", 1, 3, "w")}), (Lines{"deny", "c 1:3 rm"}));
  EXPECT_EQ(exceptions({rule(true, "c", 1, 3, "rw"), rule(true, "b", 8, 0, "r"), rule(false, "c", {}, {}, "rwm")}),
            (Lines{"deny", "b 8:0 r"}));
  EXPECT_EQ(exceptions({kDenyAll, rule(true, "", {}, {}, "m")}), (Lines{"deny", "c *:* m", "b *:* m"}));
  EXPECT_EQ(exceptions({rule(true, "c", {}, {}, "rw"), rule(false, "c", 1, 3, "w")}),
            Lines{"linux.resources.devices[1]: takes back a part of 'c *:* rw', which no cgroup can express"});
}

TEST(DevicePolicy, NamesTheMemberThatIsWrong) {
  EXPECT_EQ(exceptions({rule(true, "x", 1, 3, "rw")}),
            Lines{"linux.resources.devices[0].type: 'x' is not a, c, u or b"});
  EXPECT_EQ(exceptions({rule(true, "c", 1, 3, "rx")}),
            Lines{"linux.resources.devices[0].access: 'rx' is not made of r, w and m"});
  EXPECT_EQ(exceptions({rule(true, "c", 1, 3, "")}), Lines{"linux.resources.devices[0].access: must not be empty"});
  EXPECT_EQ(exceptions({rule(true, "c", -2, 3, "r")}),
            Lines{"linux.resources.devices[0].major: is not a device number"});
  EXPECT_EQ(exceptions({rule(false, "a", {}, {}, "")}), Lines{"deny"});
}

TEST(DevicePolicy, AllowsTheDefaultDevices) {
  const auto policy = DevicePolicy::fromRules(defaultDeviceRules());
  ASSERT_TRUE(policy);
  EXPECT_TRUE(policy->allows(Type::Character, 1, 3, kRead | kWrite));
  EXPECT_TRUE(policy->allows(Type::Character, 136, 77, kRead | kWrite));
  EXPECT_TRUE(policy->allows(Type::Block, 8, 0, kMknod));
  EXPECT_FALSE(policy->allows(Type::Block, 8, 0, kRead));
  EXPECT_FALSE(policy->allows(Type::Character, 1, 11, kRead));
}

// A small interpreter for what makeDeviceProgram uses; aborts the test on anything else.
unsigned run(const std::vector<bpf_insn>& program, const bpf_cgroup_dev_ctx& context) {
  std::array<std::uint32_t, 11> registers{};
  for (std::size_t at = 0; at < program.size(); ++at) {
    const bpf_insn& one = program[at];
    const auto immediate = static_cast<std::uint32_t>(one.imm);
    std::uint32_t& target = registers.at(one.dst_reg);
    switch (one.code) {
      case BPF_LDX | BPF_MEM | BPF_W:
        target = one.off == 0 ? context.access_type : one.off == 4 ? context.major : context.minor;
        break;
      case BPF_ALU | BPF_MOV | BPF_K:
        target = immediate;
        break;
      case BPF_ALU | BPF_MOV | BPF_X:
        target = registers.at(one.src_reg);
        break;
      case BPF_ALU | BPF_AND | BPF_K:
        target &= immediate;
        break;
      case BPF_ALU | BPF_RSH | BPF_K:
        target >>= immediate;
        break;
      case BPF_JMP32 | BPF_JNE | BPF_K:
        if (target != immediate) at += static_cast<std::size_t>(one.off);
        break;
      case BPF_JMP32 | BPF_JEQ | BPF_K:
        if (target == immediate) at += static_cast<std::size_t>(one.off);
        break;
      case BPF_JMP | BPF_EXIT:
        return registers[0];
      default:
        ADD_FAILURE() << "instruction " << at << " has code " << int{one.code};
        return 2;
    }
  }
  ADD_FAILURE() << "the program does not end";
  return 2;
}

TEST(DeviceProgram, AnswersAsThePolicyDoes) {
  const std::vector<std::vector<oci::DeviceRule>> lists{
      {},
      {kAllowAll},
      defaultDeviceRules(),
      {kDenyAll, rule(true, "c", 1, 3, "r"), rule(true, "c", 10, {}, "rw"), rule(true, "b", {}, 7, "rwm")},
      {kAllowAll, rule(false, "c", 1, 3, "w"), rule(false, "b", 8, {}, "rw"), rule(false, "c", {}, 200, "rwm")},
      {kDenyAll, rule(true, "b", 4294967295, 4294967294, "rm")},
  };
  for (const auto& rules : lists) {
    const auto policy = DevicePolicy::fromRules(rules);
    ASSERT_TRUE(policy);
    const auto program = makeDeviceProgram(*policy);
    for (const Type type : {Type::Character, Type::Block}) {
      for (const std::uint32_t major : {0U, 1U, 8U, 10U, 136U, 4294967295U}) {
        for (const std::uint32_t minor : {0U, 3U, 7U, 200U, 4294967294U}) {
          for (unsigned access = 1; access <= DevicePolicy::kAll; ++access) {
            std::uint32_t bits = 0;
            if ((access & kRead) != 0) bits |= BPF_DEVCG_ACC_READ;
            if ((access & kWrite) != 0) bits |= BPF_DEVCG_ACC_WRITE;
            if ((access & kMknod) != 0) bits |= BPF_DEVCG_ACC_MKNOD;
            const std::uint32_t kind = type == Type::Character ? BPF_DEVCG_DEV_CHAR : BPF_DEVCG_DEV_BLOCK;
            EXPECT_EQ(run(program, {bits << 16U | kind, major, minor}), policy->allows(type, major, minor, access))
                << fmt::format("{}:{} access {}", major, minor, access);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace gantry::runtime
