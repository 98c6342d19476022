#include "agent/containers/request_check.hpp"

#include <gtest/gtest.h>

namespace gantry::agent {
namespace {

using isolators::ContainerRequest;

ContainerRequest request() {
  ContainerRequest made(*ContainerId::parse("web"));
  made.command = {.shell = false, .value = "/bin/true"};
  return made;
}

template <typename Change>
std::string refusal(Change change) {
  ContainerRequest changed = request();
  change(changed);
  const auto checked = checkRequest(changed);
  return checked ? "" : checked.error().message();
}

TEST(CheckRequest, AcceptsAnOrdinaryOne) {
  EXPECT_EQ(refusal([](ContainerRequest&) {}), "");
  EXPECT_EQ(refusal([](ContainerRequest& r) { r.image = "docker://127.0.0.1:5000/a/b:tag"; }), "");
}

TEST(CheckRequest, LetsTheImageHaveTheCommand) {
  EXPECT_EQ(refusal([](ContainerRequest& r) {
              r.image = "a/b";
              r.command = {.shell = false};
            }),
            "");
  EXPECT_TRUE(refusal([](ContainerRequest& r) { r.command = {.shell = false}; }).starts_with("command.value: "));
}

TEST(CheckRequest, NamesTheField) {
  EXPECT_TRUE(refusal([](ContainerRequest& r) { r.image = "UPPER CASE"; }).starts_with("image: "));
  EXPECT_TRUE(refusal([](ContainerRequest& r) { r.command = {}; }).starts_with("command.value: "));
  EXPECT_TRUE(refusal([](ContainerRequest& r) { r.command.user = ""; }).starts_with("command.user: "));
  EXPECT_TRUE(refusal([](ContainerRequest& r) {
                r.command.workingDirectory = "srv";
              }).starts_with("command.working_directory: "));
  EXPECT_TRUE(refusal([](ContainerRequest& r) {
                r.command.environment = {{"A=B", "1"}};
              }).starts_with("command.environment: "));
  EXPECT_TRUE(refusal([](ContainerRequest& r) { r.command.environment = {{"", "1"}}; }).starts_with("command.environ"));
  EXPECT_EQ(refusal([](ContainerRequest& r) { r.rlimits = {{"RLIMIT_FUN", 1, 1}}; }),
            "rlimits: 'RLIMIT_FUN' is no resource limit");
  EXPECT_EQ(refusal([](ContainerRequest& r) { r.rlimits = {{"RLIMIT_CORE", 2, 1}}; }),
            "rlimits: RLIMIT_CORE: soft is above hard");
  EXPECT_EQ(refusal([](ContainerRequest& r) { r.rlimits = {{"RLIMIT_CORE", 1, 1}, {"RLIMIT_CORE", 1, 1}}; }),
            "rlimits: RLIMIT_CORE is given twice");
  EXPECT_TRUE(refusal([](ContainerRequest& r) { r.terminalRows = 5; }).starts_with("terminal_rows: "));
}

TEST(CheckRequest, RefusesANestedContainer) {
  ContainerRequest nested(*ContainerId::parse("web.child"));
  nested.command.value = "true";
  EXPECT_EQ(checkRequest(nested).error().code(), Code::Unsupported);
}

TEST(CheckSession, NeedsAParentAndACommand) {
  SessionRequest session(*ContainerId::parse("web"));
  session.command.value = "true";
  EXPECT_TRUE(checkSession(session).error().message().starts_with("container_id.parent: "));
  session.id = *ContainerId::parse("web.s");
  EXPECT_TRUE(checkSession(session));
  session.command = {.shell = false};
  EXPECT_TRUE(checkSession(session).error().message().starts_with("command.value: "));
}

}  // namespace
}  // namespace gantry::agent
