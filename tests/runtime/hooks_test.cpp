#include "runtime/hooks.hpp"

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "runtime/id_maps.hpp"

namespace gantry::runtime {
namespace {

namespace fs = std::filesystem;

oci::Hook shell(const std::string& script) {
  oci::Hook hook;
  hook.path = "/bin/sh";
  hook.args = {"hook", "-c", script};
  return hook;
}

class HookFiles : public ::testing::Test {
 protected:
  HookFiles() {
    char path[] = "/tmp/gantry-hooks-XXXXXX";
    top_ = ::mkdtemp(path);
  }
  ~HookFiles() override { fs::remove_all(top_); }

  std::string textOf(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(top_ / name).rdbuf();
    return text.str();
  }

  fs::path top_;
};

TEST_F(HookFiles, GetTheStateTheirArgumentsAndOnlyTheirEnvironment) {
  ::setenv("LD_LEAK", "1", 1);
  oci::Hook hook = shell("cat > state; env > env; echo $0 > name");
  hook.env = {"A=b"};
  const auto ran = runHooks("prestart", {hook}, R"({"id":"x"})", top_.string());
  ASSERT_TRUE(ran) << ran.error().message();
  EXPECT_EQ(textOf("state"), R"({"id":"x"})");
  EXPECT_NE(textOf("env").find("A=b"), std::string::npos);
  EXPECT_EQ(textOf("env").find("LD_LEAK"), std::string::npos);
}

TEST_F(HookFiles, MayLeaveALargeStateUnread) {
  const std::string large(1 << 20, 'x');
  EXPECT_TRUE(runHooks("prestart", {shell("exit 0")}, large, top_.string()));
  EXPECT_TRUE(runHooks("prestart", {shell("wc -c > size")}, large, top_.string()));
  EXPECT_EQ(std::stoul(textOf("size")), large.size());
}

TEST_F(HookFiles, FailByNameAndStopTheOthers) {
  const auto ran =
      runHooks("createRuntime", {shell("echo no luck >&2; exit 3"), shell("touch second")}, "{}", top_.string());
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().message(), "hooks.createRuntime[0] '/bin/sh': exited with status 3: no luck");
  EXPECT_FALSE(fs::exists(top_ / "second"));
  runHooksAndWarn("poststop", {shell("exit 3"), shell("touch second")}, "{}", top_.string());
  EXPECT_TRUE(fs::exists(top_ / "second"));
}

TEST_F(HookFiles, AreEndedAfterTheirTimeout) {
  oci::Hook hook = shell("echo slow; exec sleep 60");
  hook.timeout = 1;
  const auto ran = runHooks("prestart", {hook}, "{}", top_.string());
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().code(), Code::Timeout);
  EXPECT_EQ(ran.error().message(), "hooks.prestart[0] '/bin/sh': did not end within 1 s: slow");
}

TEST_F(HookFiles, SayWhichProgramIsMissing) {
  oci::Hook hook;
  hook.path = "/nonexistent/hook";
  const auto ran = runHooks("poststart", {hook}, "{}", top_.string());
  ASSERT_FALSE(ran);
  EXPECT_NE(ran.error().message().find("hooks.poststart[0] '/nonexistent/hook'"), std::string::npos);
}

TEST(IdMaps, AreWrittenAsTheKernelReadsThem) {
  EXPECT_EQ(formatIdMap({{0, 100000, 65536}, {65536, 1, 1}}), "0 100000 65536\n65536 1 1\n");
}

}  // namespace
}  // namespace gantry::runtime
