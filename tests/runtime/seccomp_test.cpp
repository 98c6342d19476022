#include "runtime/seccomp.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>

#include <algorithm>
#include <functional>

#include "kernel/descriptor_passing.hpp"
#include "kernel/file.hpp"
#include "kernel/socket.hpp"
#include "runtime/seccomp_compile.hpp"

namespace gantry::runtime {
namespace {

oci::Seccomp allowing(std::vector<oci::SeccompSyscall> rules) {
  oci::Seccomp section;
  section.defaultAction = "SCMP_ACT_ALLOW";
  section.syscalls = std::move(rules);
  return section;
}

oci::SeccompSyscall refusing(std::vector<std::string> names, std::uint32_t number,
                             std::vector<oci::SeccompArg> args = {}) {
  return {std::move(names), "SCMP_ACT_ERRNO", number, std::move(args)};
}

// The raw wait status of a child that runs `body` under the filter; its exit status is what `body` returns.
int runUnder(const oci::Seccomp& section, const std::function<int()>& body) {
  const auto filter = compileSeccomp(section, "");
  EXPECT_TRUE(filter) << (filter ? "" : filter.error().message());
  if (!filter) return -1;
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (!loadSeccomp(*filter)) ::_exit(120);
    ::_exit(body());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

int exitUnder(const oci::Seccomp& section, const std::function<int()>& body) {
  const int status = runUnder(section, body);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int errnoOf(long result) {
  return result < 0 ? errno : 0;
}

std::string refusalOf(const oci::Seccomp& section) {
  const auto filter = compileSeccomp(section, "");
  return filter ? "" : filter.error().message();
}

TEST(Seccomp, RefusesACallWithTheErrorOfItsRule) {
  const auto section = allowing({refusing({"getppid"}, EILSEQ)});
  EXPECT_EQ(exitUnder(section, [] { return errnoOf(::syscall(SYS_getppid)); }), EILSEQ);
  EXPECT_EQ(exitUnder(section, [] { return errnoOf(::syscall(SYS_getpid)); }), 0);
}

TEST(Seccomp, RefusesWithEpermWhenTheRuleHasNoError) {
  auto section = allowing({refusing({"getppid"}, 0)});
  section.syscalls[0].errnoRet.reset();
  EXPECT_EQ(exitUnder(section, [] { return errnoOf(::syscall(SYS_getppid)); }), EPERM);
}

TEST(Seccomp, ComparesArguments) {
  const auto section = allowing({refusing({"personality"}, ENOTTY, {{0, PER_LINUX32, 0, "SCMP_CMP_EQ"}}),
                                 refusing({"kill"}, EXDEV, {{1, 0xF0, 0x10, "SCMP_CMP_MASKED_EQ"}})});
  EXPECT_EQ(exitUnder(section, [] { return errnoOf(::personality(PER_LINUX32)); }), ENOTTY);
  EXPECT_EQ(exitUnder(section, [] { return errnoOf(::personality(0xffffffff)); }), 0);
  EXPECT_EQ(exitUnder(section, [] { return errnoOf(::syscall(SYS_kill, ::getpid(), 0x1F)); }), EXDEV);
  EXPECT_EQ(exitUnder(section, [] { return errnoOf(::syscall(SYS_kill, ::getpid(), 0)); }), 0);
}

TEST(Seccomp, TakesSeveralConditionsOnOneArgumentAsAlternatives) {
  const auto section = allowing(
      {refusing({"personality"}, ENOTTY, {{0, PER_LINUX32, 0, "SCMP_CMP_EQ"}, {0, PER_BSD, 0, "SCMP_CMP_EQ"}})});
  EXPECT_EQ(exitUnder(section, [] { return errnoOf(::personality(PER_LINUX32)); }), ENOTTY);
  EXPECT_EQ(exitUnder(section, [] { return errnoOf(::personality(PER_BSD)); }), ENOTTY);
}

TEST(Seccomp, KillsAndTraps) {
  const auto call = [] { return static_cast<int>(::syscall(SYS_getppid) * 0); };
  int status = runUnder(allowing({{{"getppid"}, "SCMP_ACT_KILL_PROCESS", {}, {}}}), call);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
  status = runUnder(allowing({{{"getppid"}, "SCMP_ACT_TRAP", {}, {}}}), call);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
  EXPECT_EQ(exitUnder(allowing({{{"getppid"}, "SCMP_ACT_LOG", {}, {}}}), call), 0);
  // Without a tracer.
  EXPECT_EQ(
      exitUnder(allowing({{{"getppid"}, "SCMP_ACT_TRACE", {}, {}}}), [] { return errnoOf(::syscall(SYS_getppid)); }),
      ENOSYS);
}

TEST(Seccomp, GivesEnosysForCallsNewerThanTheSection) {
  oci::Seccomp section;
  section.defaultAction = "SCMP_ACT_ERRNO";
  section.architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"};
  section.syscalls = {{{"exit_group", "write", "statx"}, "SCMP_ACT_ALLOW", {}, {}}};
  EXPECT_EQ(exitUnder(section, [] { return errnoOf(::syscall(SYS_getppid)); }), EPERM);
  EXPECT_EQ(exitUnder(section, [] { return errnoOf(::syscall(SYS_openat2, 0, 0, 0, 0)); }), ENOSYS);
  section.defaultErrnoRet = EXDEV;
  EXPECT_EQ(exitUnder(section, [] { return errnoOf(::syscall(SYS_getppid)); }), EXDEV);
#if defined(__x86_64__)
  // x32 calls are numbered with a bit above all others; those the section is silent about are refused as asked.
  EXPECT_EQ(exitUnder(section, [] { return errnoOf(::syscall(0x40000000L + SYS_getppid)); }), EXDEV);
#endif
}

TEST(Seccomp, LeavesOutCallsItDoesNotKnow) {
  const auto section = allowing({refusing({"no_such_call", "getppid"}, EILSEQ)});
  EXPECT_EQ(exitUnder(section, [] { return errnoOf(::syscall(SYS_getppid)); }), EILSEQ);
}

TEST(Seccomp, TakesTheKernelFlags) {
  auto section = allowing({refusing({"getppid"}, EILSEQ)});
  section.flags = {"SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"};
  EXPECT_EQ(exitUnder(section, [] { return errnoOf(::syscall(SYS_getppid)); }), EILSEQ);
  section.flags.emplace_back("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV");
  EXPECT_EQ(exitUnder(section, [] { return errnoOf(::syscall(SYS_getppid)); }), EILSEQ);
}

TEST(Seccomp, NamesTheMemberThatIsWrong) {
  auto section = allowing({refusing({"getppid"}, 1)});
  section.defaultAction = "SCMP_ACT_MAYBE";
  EXPECT_EQ(refusalOf(section), "linux.seccomp.defaultAction: 'SCMP_ACT_MAYBE' is unknown");
  section = allowing({{{"getppid"}, "ALLOW", {}, {}}});
  EXPECT_EQ(refusalOf(section), "linux.seccomp.syscalls[0].action: 'ALLOW' is unknown");
  section = allowing({refusing({"getppid"}, 1, {{6, 0, 0, "SCMP_CMP_EQ"}})});
  EXPECT_EQ(refusalOf(section), "linux.seccomp.syscalls[0].args[0].index: must be 0 to 5");
  section = allowing({refusing({"getppid"}, 1, {{0, 0, 0, "=="}})});
  EXPECT_EQ(refusalOf(section), "linux.seccomp.syscalls[0].args[0].op: '==' is unknown");
  section = allowing({});
  section.architectures = {"SCMP_ARCH_PDP11"};
  EXPECT_EQ(refusalOf(section), "linux.seccomp.architectures[0]: 'SCMP_ARCH_PDP11' is unknown");
  section = allowing({});
  section.flags = {"SECCOMP_FILTER_FLAG_FAST"};
  EXPECT_EQ(refusalOf(section), "linux.seccomp.flags[0]: 'SECCOMP_FILTER_FLAG_FAST' is unknown");
  section = allowing({});
  section.defaultErrnoRet = 1;
  EXPECT_EQ(refusalOf(section), "linux.seccomp.defaultErrnoRet: 'SCMP_ACT_ALLOW' gives no error number");
}

TEST(Seccomp, RefusesNotifyThatNobodyCouldAnswer) {
  auto section = allowing({{{"getppid"}, "SCMP_ACT_NOTIFY", {}, {}}});
  EXPECT_EQ(refusalOf(section), "linux.seccomp.listenerPath: is needed for SCMP_ACT_NOTIFY");
  section.listenerPath = "/run/listener";
  EXPECT_EQ(refusalOf(section), "");
  section.syscalls[0].names = {"write"};
  EXPECT_NE(refusalOf(section), "");
  section.defaultAction = "SCMP_ACT_NOTIFY";
  EXPECT_NE(refusalOf(section), "");
}

class SeccompListener : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(::mkdtemp(path_.data()), nullptr); }
  void TearDown() override { EXPECT_TRUE(kernel::removeTree(path_)); }

  std::string path_ = testing::TempDir() + "gantry-seccomp-XXXXXX";
};

TEST_F(SeccompListener, GetsTheDescriptorBesideTheState) {
  auto section = allowing({{{"getppid"}, "SCMP_ACT_NOTIFY", {}, {}}});
  section.listenerPath = path_ + "/listener";
  const auto socket = kernel::listenUnix(section.listenerPath, SOCK_STREAM, 0600);
  ASSERT_TRUE(socket);
  const auto filter = compileSeccomp(section, "");
  ASSERT_TRUE(filter);
  EXPECT_TRUE(filter->wantsListener());
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    const auto listener = loadSeccomp(*filter);
    ::_exit(listener && *listener && sendSeccompListener(section.listenerPath, *listener, "{}") ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  auto connection = kernel::accept(*socket);
  ASSERT_TRUE(connection && *connection);
  const auto packet = kernel::receiveWithDescriptor(**connection, 100);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->text, "{}");
  EXPECT_TRUE(packet->descriptor);
}

class SeccompCache : public SeccompListener {
 protected:
  std::string directory() const { return path_ + "/root/.seccomp"; }
  std::string entry() const { return directory() + "/" + kernel::listDirectory(directory())->at(0); }
  static oci::Seccomp section() { return allowing({refusing({"getppid"}, EILSEQ)}); }
  // Compiles through the cache, and whether that gave the right program.
  bool isRight() const {
    const auto cached = compileSeccomp(section(), directory());
    const auto fresh = compileSeccompNow(section());
    return cached && fresh && cached->flags == fresh->flags && cached->program.size() == fresh->program.size() &&
           std::equal(cached->program.begin(), cached->program.end(), fresh->program.begin(),
                      [](const sock_filter& a, const sock_filter& b) {
                        return a.code == b.code && a.jt == b.jt && a.jf == b.jf && a.k == b.k;
                      });
  }
};

TEST_F(SeccompCache, KeepsOnePrivateFilePerSection) {
  EXPECT_TRUE(isRight());
  EXPECT_TRUE(isRight());
  EXPECT_EQ(kernel::listDirectory(directory())->size(), 1U);
  struct stat status{};
  ASSERT_EQ(::stat(entry().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
  ASSERT_EQ(::stat(directory().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700U);
  auto other = section();
  other.syscalls[0].errnoRet = EXDEV;
  EXPECT_TRUE(compileSeccomp(other, directory()));
  EXPECT_EQ(kernel::listDirectory(directory())->size(), 2U);
}

TEST_F(SeccompCache, ReplacesADamagedEntry) {
  ASSERT_TRUE(isRight());
  const std::string file = entry();
  const std::string good = *kernel::readFile(file);
  std::string bad = good;
  bad[bad.size() / 2] = static_cast<char>(bad[bad.size() / 2] ^ 1);
  for (const std::string& content : {bad, good.substr(0, good.size() / 2), std::string(), good + "x"}) {
    ASSERT_TRUE(kernel::replaceFile(file, content));
    EXPECT_TRUE(isRight());
    EXPECT_EQ(*kernel::readFile(file), good);
  }
}

TEST_F(SeccompCache, DoesNotTrustAnEntryThatOthersCouldWrite) {
  ASSERT_TRUE(isRight());
  auto open = section();
  open.syscalls.clear();
  const std::string file = entry();
  ASSERT_TRUE(compileSeccomp(open, path_ + "/other"));
  const std::string planted = path_ + "/other/" + kernel::listDirectory(path_ + "/other")->at(0);
  ASSERT_TRUE(kernel::rename(planted, file));
  EXPECT_TRUE(isRight()) << "the entry of another section";
  ASSERT_EQ(::chmod(file.c_str(), 0666), 0);
  EXPECT_TRUE(isRight());
  ASSERT_EQ(::unlink(file.c_str()), 0);
  ASSERT_TRUE(kernel::symlinkAt("/dev/zero", kernel::workingDirectory(), file));
  EXPECT_TRUE(isRight());
  EXPECT_TRUE(isRight());
}

TEST_F(SeccompCache, IsNotNeeded) {
  ASSERT_TRUE(kernel::makeDirectories(path_ + "/root", 0755));
  ASSERT_TRUE(kernel::replaceFile(directory(), "a file"));
  EXPECT_TRUE(isRight());
}

}  // namespace
}  // namespace gantry::runtime
