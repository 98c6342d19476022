#include "kernel/process.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include "kernel/file.hpp"

namespace gantry::kernel {
namespace {

Command shell(const std::string& script) {
  return {.program = "/bin/sh", .arguments = {"-c", script}};
}

TEST(Process, ReportsItsExitStatusOnce) {
  auto process = spawn(shell("exit 3"));
  ASSERT_TRUE(process) << process.error().message();
  const auto status = process->wait();
  ASSERT_TRUE(status);
  EXPECT_EQ(WEXITSTATUS(*status), 3);
  EXPECT_EQ(describeWaitStatus(*status), "exited with status 3");
  EXPECT_FALSE(*process);
}

TEST(Process, DiesOfASignalSentThroughItsPidfd) {
  auto process = spawn(shell("sleep 100"));
  ASSERT_TRUE(process);
  ASSERT_TRUE(process->signal(SIGKILL));
  EXPECT_EQ(describeWaitStatus(*process->wait()), "was killed by SIGKILL (9)");
}

TEST(Process, GetsExactlyTheNamedDescriptors) {
  auto channel = pipe();
  ASSERT_TRUE(channel);
  Command command = shell("ls /proc/self/fd | tr '\\n' ' '; readlink /proc/self/fd/0 >&5");
  command.descriptors = {{channel->write.raw(), 1}, {channel->write.raw(), 5}};
  command.environment = {"PATH=/usr/bin:/bin"};
  auto process = spawn(command);
  ASSERT_TRUE(process);
  channel->write.reset();
  // 3 is ls reading the directory.
  EXPECT_EQ(*readAll(channel->read), "0 1 2 3 5 /dev/null\n");
  EXPECT_TRUE(process->wait());
}

TEST(Process, SwapsDescriptors) {
  auto one = pipe();
  auto two = pipe();
  ASSERT_TRUE(one && two);
  Command command = shell(fmt::format("echo a >&{}; echo b >&{}", one->write.raw(), two->write.raw()));
  command.descriptors = {{one->write.raw(), two->write.raw()}, {two->write.raw(), one->write.raw()}};
  auto process = spawn(command);
  ASSERT_TRUE(process);
  one->write.reset();
  two->write.reset();
  EXPECT_EQ(*readAll(one->read), "b\n");
  EXPECT_EQ(*readAll(two->read), "a\n");
  EXPECT_TRUE(process->wait());
}

TEST(Process, CannotStartWhatDoesNotExist) {
  const auto process = spawn({.program = "/no/such/program"});
  ASSERT_FALSE(process);
  EXPECT_EQ(process.error().message(), "run '/no/such/program': No such file or directory");
}

TEST(Process, TellsWhatASignalDoesToIt) {
  sigset_t before;
  sigset_t usr1;
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  EXPECT_EQ(*dispositionOf(::getpid(), SIGUSR1), Disposition::Default);
  sigprocmask(SIG_BLOCK, &usr1, &before);
  EXPECT_EQ(*dispositionOf(::getpid(), SIGUSR1), Disposition::Blocked);
  sigprocmask(SIG_SETMASK, &before, nullptr);
  ::signal(SIGUSR1, SIG_IGN);
  EXPECT_EQ(*dispositionOf(::getpid(), SIGUSR1), Disposition::Ignored);
  ::signal(SIGUSR1, [](int) {});
  EXPECT_EQ(*dispositionOf(::getpid(), SIGUSR1), Disposition::Caught);
  ::signal(SIGUSR1, SIG_DFL);
}

TEST(Process, IsKnownByPidAndStartTime) {
  const auto self = identify(::getpid());
  ASSERT_TRUE(self);
  EXPECT_TRUE(isAlive(*self));
  EXPECT_FALSE(isAlive({self->pid, self->startTime + 1}));
  EXPECT_EQ(Process::open(ProcessId{self->pid, self->startTime + 1}).error().code(), Code::NotFound);
}

}  // namespace
}  // namespace gantry::kernel
