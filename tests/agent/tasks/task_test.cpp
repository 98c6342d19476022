#include "agent/tasks/task.hpp"

#include <gtest/gtest.h>

namespace gantry::agent::tasks {
namespace {

TEST(TaskState, HasTheNamesOfMesosBothWays) {
  for (int number = 0; number <= 13; ++number) {
    const auto state = static_cast<TaskState>(number);
    EXPECT_FALSE(toString(state).empty()) << number;
    EXPECT_EQ(parseTaskState(toString(state)), state);
  }
  EXPECT_EQ(toString(TaskState::GoneByOperator), "TASK_GONE_BY_OPERATOR");
  EXPECT_EQ(parseTaskState("TASK_DONE"), std::nullopt);
}

TEST(TaskState, UnreachableMayStillComeBack) {
  EXPECT_FALSE(isTerminal(TaskState::Unreachable));
  EXPECT_FALSE(isTerminal(TaskState::Killing));
  EXPECT_TRUE(isTerminal(TaskState::Dropped));
  EXPECT_TRUE(isTerminal(TaskState::Lost));
}

TEST(Reason, HasTheNamesOfMesosBothWays) {
  for (int number = 0; number <= 34; ++number) {
    const auto reason = static_cast<Reason>(number);
    EXPECT_FALSE(toString(reason).empty()) << number;
    EXPECT_EQ(parseReason(toString(reason)), reason);
  }
  EXPECT_EQ(toString(Reason::AgentDraining), "REASON_SLAVE_DRAINING");
}

}  // namespace
}  // namespace gantry::agent::tasks
