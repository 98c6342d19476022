#include "agent/containers/termination.hpp"

#include <csignal>

#include <gtest/gtest.h>

#include "agent/containers/oci_runtime.hpp"
#include "agent/containers/phase.hpp"

namespace gantry::agent {
namespace {

TEST(ExplainEnd, SaysWhatTheProgramDid) {
  const Termination exited = explainEnd({.waitStatus = 3 << 8}, {}, {});
  EXPECT_EQ(exited.message, "exited with status 3");
  EXPECT_EQ(exited.waitStatus, 3 << 8);
  EXPECT_FALSE(exited.state);
  EXPECT_FALSE(exited.reason);
}

TEST(ExplainEnd, SaysWhatWasAskedFor) {
  EXPECT_EQ(explainEnd({.waitStatus = SIGTERM}, {}, SIGTERM).message, "was killed by SIGTERM (15), as requested");
  EXPECT_EQ(explainEnd({.waitStatus = 0}, {}, SIGTERM).message, "exited with status 0 after SIGTERM was requested");
  EXPECT_EQ(explainEnd({.waitStatus = SIGKILL}, {}, SIGTERM).message,
            "was killed by SIGKILL (9) after SIGTERM was requested");
}

TEST(ExplainEnd, ALimitationWins) {
  const isolators::Limitation limitation{.reason = "REASON_CONTAINER_LIMITATION_MEMORY", .message = "too much"};
  const Termination limited = explainEnd({.waitStatus = SIGKILL}, limitation, SIGKILL);
  EXPECT_EQ(limited.message, "too much");
  EXPECT_EQ(limited.state, "TASK_FAILED");
  EXPECT_EQ(limited.reason, "REASON_CONTAINER_LIMITATION_MEMORY");
  EXPECT_EQ(limited.waitStatus, SIGKILL);
}

TEST(ExplainEnd, DoesNotInventAStatusThatNobodySaw) {
  const Termination unseen = explainEnd({}, {}, {});
  EXPECT_FALSE(unseen.waitStatus);
  EXPECT_EQ(unseen.state, "TASK_FAILED");
}

TEST(SignalName, IsThatOfTheManual) {
  EXPECT_EQ(signalName(SIGTERM), "SIGTERM");
  EXPECT_EQ(signalName(99), "signal 99");
}

TEST(RuntimeSentence, IsFoundInEveryRuntimesWords) {
  const auto sentence = [](std::string_view output) { return runtimeSentence(output, "/usr/bin/gantry-runtime"); };
  EXPECT_EQ(sentence("gantry-runtime: container 'a' does not exist\n"), "container 'a' does not exist");
  EXPECT_EQ(sentence(R"({"level":"error","msg":"a \"b\"","time":"x"})"), "a \"b\"");
  EXPECT_EQ(sentence("time=\"x\" level=error msg=\"a \\\"b\\\" c\"\n"), "a \"b\" c");
  EXPECT_EQ(sentence("warning\nlast line\n\n"), "last line");
  EXPECT_EQ(sentence(""), "");
}

TEST(Phases, AreReadAsTheyAreWritten) {
  for (const Phase phase : {Phase::Starting, Phase::Provisioning, Phase::Preparing, Phase::Creating, Phase::Running,
                            Phase::Stopping, Phase::Exited}) {
    EXPECT_EQ(*parsePhase(toString(phase)), phase);
    EXPECT_FALSE(mayFollow(Phase::Exited, phase));
    EXPECT_FALSE(mayFollow(phase, Phase::Starting));
  }
  EXPECT_FALSE(parsePhase("running"));
}

}  // namespace
}  // namespace gantry::agent
