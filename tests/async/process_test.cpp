#include "async/process.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "async/run.hpp"
#include "async/scope.hpp"

namespace gantry::async {
namespace {

using namespace std::chrono_literals;

kernel::Command shell(const std::string& script) {
  kernel::Command command;
  command.program = "/bin/sh";
  command.arguments = {"-c", script};
  command.environment = {"PATH=/usr/bin:/bin"};
  return command;
}

Result<Output> runShell(const std::string& script, RunOptions options) {
  Loop loop;
  return runUntilDone(loop, run(shell(script), std::move(options)));
}

TEST(Run, CollectsOutputAndStatus) {
  RunOptions options;
  options.input = "some input";
  const auto output = runShell("cat; echo complaint >&2; exit 3", std::move(options));
  ASSERT_TRUE(output);
  EXPECT_EQ(output->out, "some input");
  EXPECT_EQ(output->err, "complaint\n");
  EXPECT_EQ(WEXITSTATUS(output->status), 3);
  EXPECT_FALSE(output->succeeded());
}

TEST(Run, SurvivesAProgramThatDoesNotReadItsInput) {
  RunOptions options;
  options.input = std::string(1'000'000, 'x');
  const auto output = runShell("exec true", std::move(options));
  ASSERT_TRUE(output);
  EXPECT_TRUE(output->succeeded());
}

TEST(Run, KillsAtTheDeadline) {
  RunOptions options;
  options.deadline = 20ms;
  const auto output = runShell("exec sleep 100", std::move(options));
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code(), Code::Timeout);
  EXPECT_EQ(output.error().message(), "run '/bin/sh': not done after 20ms");
}

TEST(Run, KillsWhatSaysTooMuch) {
  RunOptions options;
  options.outputLimit = 1000;
  const auto output = runShell("while true; do echo spam; done", std::move(options));
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code(), Code::Exhausted);
}

TEST(Run, KeepsTheBeginningOfALongComplaint) {
  RunOptions options;
  options.errorLimit = 10;
  const auto output = runShell("echo 0123456789abcdef >&2", std::move(options));
  ASSERT_TRUE(output);
  EXPECT_EQ(output->err, "0123456789");
}

TEST(Run, DoesNotWaitForWhatTheProgramLeavesBehind) {
  const auto before = std::chrono::steady_clock::now();
  const auto output = runShell("echo said; sleep 5 & echo $!", {});
  ASSERT_TRUE(output);
  EXPECT_LT(std::chrono::steady_clock::now() - before, 4s);
  ASSERT_EQ(output->out.substr(0, 5), "said\n");
  ::kill(std::stoi(output->out.substr(5)), SIGKILL);
}

TEST(Run, HandsOverLinesAsTheyCome) {
  const auto lines = std::make_shared<std::vector<std::string>>();
  RunOptions options;
  options.onLine = [lines](std::string_view line) { lines->emplace_back(line); };
  const auto output = runShell("echo one; printf two; printf 'more\\n\\nlast'", std::move(options));
  ASSERT_TRUE(output);
  EXPECT_EQ(output->out, "");
  EXPECT_EQ(*lines, (std::vector<std::string>{"one", "twomore", "", "last"}));
}

TEST(Run, NamesAProgramThatIsMissing) {
  Loop loop;
  kernel::Command command;
  command.program = "/nowhere/program";
  const auto output = runUntilDone(loop, run(std::move(command), {}));
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code(), Code::NotFound);
  EXPECT_NE(output.error().message().find("/nowhere/program"), std::string::npos);
}

Task<> runAndKeep(std::shared_ptr<std::optional<Error>> error) {
  kernel::Command command = shell("exec sleep 100");
  RunOptions options;
  const auto output = co_await run(std::move(command), std::move(options));
  if (!output) *error = output.error();
}

Task<> cancelRun(std::shared_ptr<std::optional<Error>> error) {
  const Executor executor = co_await currentExecutor();
  Scope scope(executor);
  scope.spawn(runAndKeep(error));
  ignore(co_await sleep(20ms), "not cancelled here");
  scope.cancel();
  co_await scope.join();
}

TEST(Run, KillsAndReapsWhenCancelled) {
  Loop loop;
  const auto error = std::make_shared<std::optional<Error>>();
  runUntilDone(loop, cancelRun(error));
  ASSERT_TRUE(*error);
  EXPECT_EQ((*error)->code(), Code::Cancelled);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
}

TEST(Exited, GivesTheRawWaitStatus) {
  Loop loop;
  auto child = std::make_shared<kernel::Process>(*kernel::spawn(shell("exit 5")));
  EXPECT_EQ(*runUntilDone(loop, exited(child)), 5 << 8);
}

TEST(Signals, ArriveOneByOne) {
  Loop loop;
  const Signals signals(loop.get_executor(), {SIGUSR1});
  ::kill(::getpid(), SIGUSR1);
  EXPECT_EQ(*runUntilDone(loop, signals.next()), SIGUSR1);
}

}  // namespace
}  // namespace gantry::async
