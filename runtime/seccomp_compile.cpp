#include "runtime/seccomp_compile.hpp"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <cerrno>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "kernel/file.hpp"
#include "kernel/seccomp.hpp"

namespace gantry::runtime {
namespace {

struct Release {
  void operator()(void* context) const { ::seccomp_release(context); }
};
using Context = std::unique_ptr<void, Release>;

struct Named {
  std::string_view name;
  std::uint32_t value;
};

constexpr std::array kActions{
    Named{"SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD},
    Named{"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS},
    Named{"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD},
    Named{"SCMP_ACT_TRAP", SCMP_ACT_TRAP},
    Named{"SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0)},
    Named{"SCMP_ACT_TRACE", SCMP_ACT_TRACE(0)},
    Named{"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW},
    Named{"SCMP_ACT_LOG", SCMP_ACT_LOG},
    Named{"SCMP_ACT_NOTIFY", SCMP_ACT_NOTIFY},
};

constexpr std::array kOperators{
    Named{"SCMP_CMP_NE", SCMP_CMP_NE},
    Named{"SCMP_CMP_LT", SCMP_CMP_LT},
    Named{"SCMP_CMP_LE", SCMP_CMP_LE},
    Named{"SCMP_CMP_EQ", SCMP_CMP_EQ},
    Named{"SCMP_CMP_GE", SCMP_CMP_GE},
    Named{"SCMP_CMP_GT", SCMP_CMP_GT},
    Named{"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
};

constexpr std::array kArchitectures{
    Named{"SCMP_ARCH_X86", SCMP_ARCH_X86},
    Named{"SCMP_ARCH_X86_64", SCMP_ARCH_X86_64},
    Named{"SCMP_ARCH_X32", SCMP_ARCH_X32},
    Named{"SCMP_ARCH_ARM", SCMP_ARCH_ARM},
    Named{"SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64},
    Named{"SCMP_ARCH_MIPS", SCMP_ARCH_MIPS},
    Named{"SCMP_ARCH_MIPS64", SCMP_ARCH_MIPS64},
    Named{"SCMP_ARCH_MIPS64N32", SCMP_ARCH_MIPS64N32},
    Named{"SCMP_ARCH_MIPSEL", SCMP_ARCH_MIPSEL},
    Named{"SCMP_ARCH_MIPSEL64", SCMP_ARCH_MIPSEL64},
    Named{"SCMP_ARCH_MIPSEL64N32", SCMP_ARCH_MIPSEL64N32},
    Named{"SCMP_ARCH_PPC", SCMP_ARCH_PPC},
    Named{"SCMP_ARCH_PPC64", SCMP_ARCH_PPC64},
    Named{"SCMP_ARCH_PPC64LE", SCMP_ARCH_PPC64LE},
    Named{"SCMP_ARCH_S390", SCMP_ARCH_S390},
    Named{"SCMP_ARCH_S390X", SCMP_ARCH_S390X},
    Named{"SCMP_ARCH_PARISC", SCMP_ARCH_PARISC},
    Named{"SCMP_ARCH_PARISC64", SCMP_ARCH_PARISC64},
    Named{"SCMP_ARCH_RISCV64", SCMP_ARCH_RISCV64},
};

constexpr std::array kFlags{
    Named{"SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC},
    Named{"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
    Named{"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
    Named{"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV},
};

std::string nameOf(std::string_view member) {
  return fmt::format("linux.seccomp.{}", member);
}

template <std::size_t size>
Result<std::uint32_t> find(const std::array<Named, size>& all, std::string_view name, std::string_view member) {
  for (const Named& one : all) {
    if (one.name == name) return one.value;
  }
  return Error::invalid(nameOf(member), fmt::format("'{}' is unknown", name));
}

template <std::size_t size>
std::vector<std::string> namesOf(const std::array<Named, size>& all) {
  std::vector<std::string> names;
  for (const Named& one : all) names.emplace_back(one.name);
  return names;
}

// libseccomp returns negative errnos.
Result<void> check(int code, std::string_view operation) {
  if (code < 0) return Error::fromErrno(-code, fmt::format("linux.seccomp: {}", operation));
  return {};
}

// `member` is the object that holds action and errnoRet, for the error.
Result<std::uint32_t> actionOf(const std::string& action, const std::optional<std::uint32_t>& errnoRet,
                               const std::string& actionMember, const std::string& errnoMember) {
  TRY(const std::uint32_t base, find(kActions, action, actionMember));
  if (base == SCMP_ACT_ERRNO(0) || base == SCMP_ACT_TRACE(0)) {
    const std::uint32_t value = errnoRet.value_or(EPERM);
    if (value > SECCOMP_RET_DATA) return Error::invalid(nameOf(errnoMember), "must be 0 to 65535");
    return base | value;
  }
  if (errnoRet) return Error::invalid(nameOf(errnoMember), fmt::format("'{}' gives no error number", action));
  if (!kernel::hasSeccompAction(base)) {
    return Error(Code::Unsupported, fmt::format("{}: this kernel has no '{}'", nameOf(actionMember), action));
  }
  return base;
}

class Compilation {
 public:
  explicit Compilation(const oci::Seccomp& section) : section_(section) {}

  Result<SeccompFilter> run() {
    TRY(default_, actionOf(section_.defaultAction, section_.defaultErrnoRet, "defaultAction", "defaultErrnoRet"));
    if (default_ == SCMP_ACT_NOTIFY) {
      return Error::invalid(nameOf("defaultAction"),
                            "SCMP_ACT_NOTIFY would stop the process before its listener has it");
    }
    context_.reset(::seccomp_init(default_));
    if (!context_) return Error::invalid(nameOf("defaultAction"), "libseccomp refuses it");
    TRY_VOID(addArchitectures());
    for (std::size_t index = 0; index < section_.syscalls.size(); ++index) {
      TRY_VOID(addRules(section_.syscalls[index], fmt::format("syscalls[{}]", index)));
    }
    // A tree instead of a list: the kernel runs the program for every system call number when it is loaded, to know
    // which ones are always allowed (Linux 5.11).
    TRY_VOID(check(::seccomp_attr_set(context_.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2), "choose the tree form"));
    SeccompFilter filter;
    TRY(filter.flags, flags());
    TRY(filter.program, exportProgram());
    if (wantsNewCalls()) prependNewCalls(filter.program);
    if (filter.program.size() > BPF_MAXINSNS) {
      return Error(Code::Exhausted, fmt::format("linux.seccomp: the filter has {} instructions, more than {}",
                                                filter.program.size(), BPF_MAXINSNS));
    }
    return filter;
  }

 private:
  Result<void> addArchitectures() {
    architectures_.insert(::seccomp_arch_native());
    for (std::size_t index = 0; index < section_.architectures.size(); ++index) {
      TRY(const std::uint32_t token,
          find(kArchitectures, section_.architectures[index], fmt::format("architectures[{}]", index)));
      const int code = ::seccomp_arch_add(context_.get(), token);
      // EEXIST: the native one, or named twice. EDOM: of another byte order, so that no process here can have it.
      if (code == -EEXIST || code == -EDOM) continue;
      TRY_VOID(check(code, fmt::format("add '{}'", section_.architectures[index])));
      architectures_.insert(token);
    }
    return {};
  }

  Result<void> addRules(const oci::SeccompSyscall& rule, const std::string& member) {
    TRY(const std::uint32_t action, actionOf(rule.action, rule.errnoRet, member + ".action", member + ".errnoRet"));
    TRY(const std::vector<scmp_arg_cmp> arguments, argumentsOf(rule, member));
    if (rule.names.empty()) return Error::invalid(nameOf(member + ".names"), "must not be empty");
    for (const std::string& name : rule.names) {
      noteNewest(name);
      if (action == SCMP_ACT_NOTIFY) TRY_VOID(checkNotify(name, member));
      if (action == default_) continue;
      const int number = ::seccomp_syscall_resolve_name(name.c_str());
      if (number == __NR_SCMP_ERROR) continue;
      TRY_VOID(addRule(action, number, arguments).under(fmt::format("{}, '{}'", nameOf(member), name)));
    }
    return {};
  }

  // The conditions of one rule must all hold. libseccomp takes one per argument; runtime-spec's users mean "any of
  // these values" when they give several for one argument.
  Result<void> addRule(std::uint32_t action, int number, const std::vector<scmp_arg_cmp>& arguments) {
    std::set<unsigned> seen;
    const bool repeated = std::any_of(arguments.begin(), arguments.end(),
                                      [&](const scmp_arg_cmp& one) { return !seen.insert(one.arg).second; });
    if (!repeated) {
      return check(::seccomp_rule_add_array(context_.get(), action, number, static_cast<unsigned>(arguments.size()),
                                            arguments.data()),
                   "add a rule");
    }
    for (const scmp_arg_cmp& one : arguments) {
      TRY_VOID(check(::seccomp_rule_add_array(context_.get(), action, number, 1, &one), "add a rule"));
    }
    return {};
  }

  Result<std::vector<scmp_arg_cmp>> argumentsOf(const oci::SeccompSyscall& rule, const std::string& member) {
    std::vector<scmp_arg_cmp> arguments;
    for (std::size_t index = 0; index < rule.args.size(); ++index) {
      const oci::SeccompArg& given = rule.args[index];
      const std::string name = fmt::format("{}.args[{}]", member, index);
      if (given.index > 5) return Error::invalid(nameOf(name + ".index"), "must be 0 to 5");
      TRY(const std::uint32_t compare, find(kOperators, given.op, name + ".op"));
      scmp_arg_cmp one{};
      one.arg = given.index;
      one.op = static_cast<scmp_compare>(compare);
      one.datum_a = given.value;
      one.datum_b = given.valueTwo;
      arguments.push_back(one);
    }
    return arguments;
  }

  Result<void> checkNotify(const std::string& name, const std::string& member) {
    notifies_ = true;
    if (section_.listenerPath.empty()) {
      return Error::invalid(nameOf("listenerPath"), "is needed for SCMP_ACT_NOTIFY");
    }
    if (name == "write" || name == "sendmsg") {
      return Error::invalid(
          nameOf(member + ".names"),
          fmt::format("SCMP_ACT_NOTIFY for '{}' would stop the process before its listener has it", name));
    }
    return {};
  }

  Result<unsigned> flags() {
    unsigned all = 0;
    for (std::size_t index = 0; index < section_.flags.size(); ++index) {
      TRY(const std::uint32_t one, find(kFlags, section_.flags[index], fmt::format("flags[{}]", index)));
      all |= one;
    }
    if (notifies_) {
      all |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
      if ((all & SECCOMP_FILTER_FLAG_TSYNC) != 0) all |= SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
    } else {
      // It is about the listener, and refused without one.
      all &= ~static_cast<unsigned>(SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
    }
    return all;
  }

  // libseccomp 2.5 can only export to a descriptor.
  Result<std::vector<sock_filter>> exportProgram() {
    const kernel::Fd file(::memfd_create("seccomp", MFD_CLOEXEC));
    if (!file) return Error::fromErrno(errno, "linux.seccomp: memfd_create");
    TRY_VOID(check(::seccomp_export_bpf(context_.get(), file.raw()), "compile"));
    if (::lseek(file.raw(), 0, SEEK_SET) != 0) return Error::fromErrno(errno, "linux.seccomp: seek");
    TRY(const std::string bytes, kernel::readAll(file));
    std::vector<sock_filter> program(bytes.size() / sizeof(sock_filter));
    std::memcpy(program.data(), bytes.data(), program.size() * sizeof(sock_filter));
    return program;
  }

  // Remembers the newest call of each architecture that the section says something about.
  void noteNewest(const std::string& name) {
    for (const std::uint32_t token : architectures_) {
      const int number = ::seccomp_syscall_resolve_name_arch(token, name.c_str());
      if (number < 0) continue;
      auto known = std::find_if(newest_.begin(), newest_.end(), [&](const Newest& one) { return one.token == token; });
      if (known == newest_.end()) known = newest_.insert(newest_.end(), {token, 0});
      known->number = std::max(known->number, static_cast<std::uint32_t>(number));
    }
  }

  bool wantsNewCalls() const {
    return (default_ & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO && default_ != SCMP_ACT_ERRNO(ENOSYS) &&
           !newest_.empty();
  }

  // For each architecture: a call above the newest one returns ENOSYS. x32 shares x86-64's token in seccomp_data and
  // marks its calls with a bit, so that it is told apart by number.
  void prependNewCalls(std::vector<sock_filter>& program) const {
    constexpr std::uint32_t kX32Bit = 0x40000000U;
    const std::uint32_t refuse = SECCOMP_RET_ERRNO | ENOSYS;
    std::vector<sock_filter> head;
    for (const Newest& one : newest_) {
      if (one.token == SCMP_ARCH_X32) {
        append(head, AUDIT_ARCH_X86_64, kX32Bit, one.number | kX32Bit, ~0U, refuse);
      } else if (one.token == SCMP_ARCH_X86_64) {
        append(head, AUDIT_ARCH_X86_64, 0, one.number, kX32Bit, refuse);
      } else {
        append(head, one.token, 0, one.number, ~0U, refuse);
      }
    }
    program.insert(program.begin(), head.begin(), head.end());
  }

  // A call of `arch` with a number above `newest`, and at least `from` and below `to`, returns `result`; ~0U for `to`
  // is no bound.
  static void append(std::vector<sock_filter>& head, std::uint32_t arch, std::uint32_t from, std::uint32_t newest,
                     std::uint32_t to, std::uint32_t result) {
    const bool bounded = to != ~0U;
    const bool fromBelow = from != 0;
    const auto rest = static_cast<std::uint8_t>(3 + (bounded ? 1 : 0) + (fromBelow ? 1 : 0));
    head.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)));
    head.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, arch, 0, rest));
    head.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
    std::uint8_t left = static_cast<std::uint8_t>(rest - 1);
    if (fromBelow) head.push_back(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, from, 0, --left));
    if (bounded) head.push_back(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, to, --left, 0));
    head.push_back(BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, newest, 0, 1));
    head.push_back(BPF_STMT(BPF_RET | BPF_K, result));
  }

  struct Newest {
    std::uint32_t token;
    std::uint32_t number;
  };

  const oci::Seccomp& section_;
  Context context_;
  std::uint32_t default_ = 0;
  bool notifies_ = false;
  std::set<std::uint32_t> architectures_;
  std::vector<Newest> newest_;
};

}  // namespace

std::string seccompCompilerVersion() {
  struct utsname host{};
  ::uname(&host);
  return fmt::format("libseccomp {}.{}.{} {}", SCMP_VER_MAJOR, SCMP_VER_MINOR, SCMP_VER_MICRO, host.machine);
}

Result<SeccompFilter> compileSeccompNow(const oci::Seccomp& section) {
  return Compilation(section).run();
}

std::vector<std::string> seccompActions() {
  return namesOf(kActions);
}

std::vector<std::string> seccompOperators() {
  return namesOf(kOperators);
}

std::vector<std::string> seccompArchitectures() {
  return namesOf(kArchitectures);
}

std::vector<std::string> seccompFlags() {
  return namesOf(kFlags);
}

}  // namespace gantry::runtime
