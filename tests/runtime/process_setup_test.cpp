#include "runtime/process_setup.hpp"

#include <linux/capability.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "runtime/exec_request.hpp"

namespace gantry::runtime {
namespace {

namespace fs = std::filesystem;

constexpr kernel::CapabilitySet bit(unsigned number) {
  return kernel::CapabilitySet{1} << number;
}

TEST(Capabilities, AreCutToWhatThereIs) {
  oci::Capabilities wanted;
  wanted.bounding = {"CAP_CHOWN", "CAP_SYS_RESOURCE", "CAP_OF_TOMORROW"};
  wanted.permitted = {"CAP_CHOWN", "CAP_SYS_RESOURCE"};
  wanted.effective = {"CAP_CHOWN", "CAP_KILL"};
  wanted.ambient = {"CAP_CHOWN"};
  const auto granted = grantCapabilities(wanted, bit(CAP_CHOWN) | bit(CAP_KILL));
  EXPECT_EQ(granted.bounding, bit(CAP_CHOWN));
  EXPECT_EQ(granted.permitted, bit(CAP_CHOWN));
  EXPECT_EQ(granted.effective, bit(CAP_CHOWN)) << "not more than permitted";
  EXPECT_EQ(granted.inheritable, 0u);
  EXPECT_EQ(granted.ambient, 0u) << "not without inheritable";
  EXPECT_EQ(granted.missing, (std::vector<std::string>{"CAP_SYS_RESOURCE", "CAP_OF_TOMORROW"}));
}

TEST(Capabilities, AreNoneWhenNothingIsSaid) {
  const auto granted = grantCapabilities(std::nullopt, ~kernel::CapabilitySet{0});
  EXPECT_EQ(granted.bounding | granted.permitted | granted.effective, 0u);
}

class Executable : public ::testing::Test {
 protected:
  Executable() {
    char path[] = "/tmp/gantry-exec-XXXXXX";
    top_ = ::mkdtemp(path);
    std::ofstream(top_ / "plain") << "x";
    std::ofstream(top_ / "program") << "x";
    ::chmod((top_ / "plain").c_str(), 0644);
    ::chmod((top_ / "program").c_str(), 0755);
  }
  ~Executable() override { fs::remove_all(top_); }

  std::string errorOf(const std::string& name) const {
    const auto found = findExecutable(name, {"PATH=/nowhere:" + top_.string()});
    return found ? "none" : found.error().message();
  }

  fs::path top_;
};

TEST_F(Executable, IsLookedUpInPath) {
  EXPECT_EQ(*findExecutable("program", {"PATH=/nowhere:" + top_.string()}), (top_ / "program").string());
  EXPECT_EQ(*findExecutable((top_ / "program").string(), {}), (top_ / "program").string());
}

// Docker derives exit codes 127 and 126 from these words.
TEST_F(Executable, IsReportedInTheWordsThatDockerExpects) {
  const std::string missing = (top_ / "missing").string();
  EXPECT_EQ(errorOf("missing"), "\"missing\": executable file not found in $PATH");
  EXPECT_EQ(errorOf(missing), "\"" + missing + "\": stat " + missing + ": no such file or directory");
  EXPECT_EQ(errorOf("plain"), "\"plain\": permission denied");
  EXPECT_EQ(errorOf((top_ / "plain").string()), "\"" + (top_ / "plain").string() + "\": permission denied");
  EXPECT_EQ(errorOf(top_.string()), "\"" + top_.string() + "\": is a directory");
  EXPECT_EQ(errorOf(""), "\"\": executable file not found in $PATH");
}

TEST(ExecUser, IsANumberOrRefused) {
  EXPECT_EQ(*parseNumericUser("1000"), (NumericUser{1000, std::nullopt}));
  EXPECT_EQ(*parseNumericUser("1000:7"), (NumericUser{1000, 7}));
  EXPECT_EQ(*parseNumericUser("4294967294:0"), (NumericUser{4294967294U, 0}));
  for (const char* text : {"", ":", "1000:", ":1000", "1000:abc", "+1", " 1", "1 ", "1000:0x0", "-1", "4294967295",
                           "4294967296", "18446744073709551616", "root", "1:2:3"}) {
    EXPECT_FALSE(parseNumericUser(text)) << text;
  }
}

TEST(ExecRequest, ChangesTheContainersProcessByFlags) {
  oci::Process container;
  container.args = {"init"};
  container.env = {"A=1"};
  container.cwd = "/";
  container.terminal = true;
  ExecFlags flags;
  flags.environment = {"B=2"};
  flags.user = "5:6";
  flags.additionalGids = {"7"};
  flags.cwd = "/tmp";
  flags.capabilities = {"KILL"};
  const auto process = processFor(flags, {"sh"}, container);
  ASSERT_TRUE(process) << process.error().message();
  EXPECT_EQ(process->args, std::vector<std::string>{"sh"});
  EXPECT_EQ(process->env, (std::vector<std::string>{"A=1", "B=2"}));
  EXPECT_EQ(process->user.uid, 5u);
  EXPECT_EQ(process->user.additionalGids, std::vector<std::uint32_t>{7});
  EXPECT_FALSE(process->terminal);
  EXPECT_EQ(process->capabilities->effective, std::vector<std::string>{"CAP_KILL"});
  EXPECT_TRUE(process->capabilities->inheritable.empty());
  EXPECT_TRUE(process->capabilities->ambient.empty());
  flags.cwd = "tmp";
  EXPECT_EQ(processFor(flags, {"sh"}, container).error().message(), "--cwd: 'tmp' is not an absolute path");
  EXPECT_FALSE(processFor({}, {}, container));
}

}  // namespace
}  // namespace gantry::runtime
