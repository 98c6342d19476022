// The client against the real monitor, with a shell script as the OCI runtime: what it "creates" is a shell that runs
// <bundle>/program once the script has ended. (Before that the script's shell could reap it, which a runtime never
// does.)
#include "agent/containers/monitor_client.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <csignal>

#include <algorithm>
#include <stdexcept>

#include "async/run.hpp"
#include "async/scope.hpp"
#include "kernel/file.hpp"
#include "tests/support/without_descriptors.hpp"

namespace gantry::agent {
namespace {

using namespace std::chrono_literals;

constexpr const char* kRuntime = R"(#!/bin/sh
while [ $# -gt 1 ]; do
  case $1 in
    --pid-file) pid=$2; shift ;;
    --bundle) bundle=$2; shift ;;
    --process) bundle=$(dirname $2); shift ;;
    --log) log=$2; shift ;;
  esac
  shift
done
[ -f $bundle/refuse ] && { cat $bundle/refuse > $log; exit 1; }
[ -f $bundle/hang ] && exec sleep 1000
[ -f $bundle/crash ] && { echo 'a library is missing' >&2; exit 127; }
exec 3<&0
( while kill -0 $$ 2>/dev/null; do sleep 0.01; done; exec sh $bundle/program <&3 3<&- ) &
echo $! > $pid
)";

struct Failure : std::runtime_error {
  explicit Failure(const Error& error) : std::runtime_error(error.message()) {}
};

template <typename T>
T expectValue(Result<T> result) {
  if (!result) throw Failure(result.error());
  return *std::move(result);
}

class MonitorClient : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(::mkdtemp(root_.data()), nullptr);
    directory_ = root_ + "/d";
    bundle_ = root_ + "/b";
    ASSERT_EQ(::mkdir(directory_.c_str(), 0700), 0);
    ASSERT_EQ(::mkdir(bundle_.c_str(), 0700), 0);
    ASSERT_TRUE(kernel::replaceFile(root_ + "/runtime", kRuntime, 0700));
  }
  void TearDown() override { EXPECT_TRUE(kernel::removeTree(root_)); }

  MonitorCommand command(const std::string& program) {
    EXPECT_TRUE(kernel::replaceFile(bundle_ + "/program", program));
    MonitorCommand made;
    made.program = GANTRY_MONITOR;
    made.directory = directory_;
    made.runtime = root_ + "/runtime";
    made.runtimeRoot = root_ + "/state";
    made.id = "web";
    made.bundle = bundle_;
    made.logs = LogFiles{root_ + "/stdout", root_ + "/stderr"};
    return made;
  }
  MonitorCommand session(const std::string& program) {
    MonitorCommand made = command(program);
    made.bundle.clear();
    made.process = bundle_ + "/process.json";
    made.logs.reset();
    return made;
  }
  void behave(const char* how, const std::string& text = "") {
    ASSERT_TRUE(kernel::replaceFile(bundle_ + "/" + how, text));
  }
  std::string fileText(const char* name) const { return kernel::readFile(root_ + "/" + name).value_or("(none)"); }

  template <typename T>
  T run(async::Task<Result<T>> work) {
    auto bounded = async::withTimeout(20s, std::move(work));
    return expectValue(async::runUntilDone(loop_, std::move(bounded)));
  }
  template <typename T>
  Error failureOf(async::Task<Result<T>> work) {
    auto bounded = async::withTimeout(20s, std::move(work));
    auto result = async::runUntilDone(loop_, std::move(bounded));
    return result ? Error(Code::Internal, "it succeeded") : result.error();
  }

  static async::Task<Result<std::string>> readToEnd(Attachment* attachment) {
    std::string all;
    while (true) {
      CO_TRY(auto chunk, co_await attachment->read());
      if (!chunk) co_return all;
      all += (chunk->stream == Attachment::Stream::Stdout ? "1:" : "2:") + chunk->data;
    }
  }

  std::string root_ = testing::TempDir() + "gantry-monitor-XXXXXX";
  std::string directory_;
  std::string bundle_;
  async::Loop loop_;
};

TEST_F(MonitorClient, FollowsAContainerFromCreatedToExited) {
  const auto monitor = run(Monitor::start(command("echo out; echo problem >&2; exit 7")));
  const kernel::ProcessId init = run(monitor->created());
  EXPECT_GT(init.pid, 0);
  EXPECT_GT(init.startTime, 0U);
  const ExitRecord record = run(monitor->exited());
  ASSERT_TRUE(record.waitStatus);
  EXPECT_EQ(WEXITSTATUS(*record.waitStatus), 7);
  EXPECT_LT(std::chrono::system_clock::now() - record.time, 10s);
  EXPECT_EQ(fileText("stdout"), "out\n");
  EXPECT_EQ(fileText("stderr"), "problem\n");
}

TEST_F(MonitorClient, IsFoundAgainWhileTheContainerRunsAndAfterItEnded) {
  kernel::ProcessId init;
  {
    auto first = run(Monitor::start(command("read line; exit 5")));
    init = run(first->created());
  }
  // Standard input is /dev/null, so that this one has ended; the next one waits.
  auto ended = run(Monitor::find(directory_));
  EXPECT_EQ(run(ended->created()), init);
  EXPECT_EQ(WEXITSTATUS(*run(ended->exited()).waitStatus), 5);

  auto again = run(Monitor::find(directory_));
  EXPECT_EQ(WEXITSTATUS(*run(again->exited()).waitStatus), 5) << "from the record alone";
  EXPECT_EQ(failureOf(again->attach(Attachment::Ends::Both)).code(), Code::NotFound);

  EXPECT_EQ(failureOf(Monitor::find(root_ + "/nowhere")).code(), Code::NotFound);
}

TEST_F(MonitorClient, TellsTheRuntimesSentence) {
  behave("refuse", "{\"level\":\"error\",\"msg\":\"mount '/x': no such file\",\"time\":\"now\"}\n");
  const auto monitor = run(Monitor::start(command("")));
  EXPECT_EQ(failureOf(monitor->created()).message(), "mount '/x': no such file");
  EXPECT_EQ(failureOf(monitor->exited()).message(), "mount '/x': no such file");
}

TEST_F(MonitorClient, TellsWhatARuntimeWithoutALogSaid) {
  behave("crash");
  const auto monitor = run(Monitor::start(command("")));
  EXPECT_EQ(failureOf(monitor->created()).message(), "a library is missing");
  EXPECT_EQ(fileText("stderr"), "") << "the container never was, so nothing is its output";
}

TEST_F(MonitorClient, SaysWhichRuntimeCannotRun) {
  MonitorCommand wrong = command("");
  wrong.runtime = root_ + "/missing";
  const auto monitor = run(Monitor::start(wrong));
  EXPECT_EQ(failureOf(monitor->created()).message(), "run '" + wrong.runtime + "': No such file or directory");
}

TEST_F(MonitorClient, PassesOnWhyTheMonitorItselfFailed) {
  MonitorCommand wrong = command("");
  wrong.logs->standardOutput = root_ + "/none/stdout";
  const Error error = failureOf(Monitor::start(wrong));
  EXPECT_EQ(error.message(), "gantry-monitor: " + root_ + "/none/stdout: No such file or directory");
}

TEST_F(MonitorClient, AbandonsARuntimeThatHangs) {
  behave("hang");
  const auto monitor = run(Monitor::start(command("")));
  auto created = async::withTimeout(200ms, monitor->created());
  EXPECT_EQ(failureOf(std::move(created)).code(), Code::Timeout);
  EXPECT_TRUE(monitor->abandon());
  EXPECT_EQ(failureOf(monitor->created()).code(), Code::Unavailable);
}

TEST_F(MonitorClient, AttachesToOutputAndInput) {
  MonitorCommand wanted = command("cat; echo done >&2");
  wanted.openStdin = true;
  const auto monitor = run(Monitor::start(wanted));
  (void)run(monitor->created());
  const auto attachment = run(monitor->attach(Attachment::Ends::Both));
  const std::string large(300'000, 'x');
  auto talk = [](Attachment* to, std::string data) -> async::Task<Result<std::string>> {
    CO_TRY_VOID(co_await to->writeStdin(std::move(data)));
    CO_TRY_VOID(co_await to->closeStdin());
    co_return co_await readToEnd(to);
  };
  const std::string heard = run(talk(attachment.get(), large));
  EXPECT_EQ(static_cast<std::size_t>(std::count(heard.begin(), heard.end(), 'x')), large.size());
  EXPECT_NE(heard.find("2:done\n"), std::string::npos);
  EXPECT_EQ(WEXITSTATUS(*run(monitor->exited()).waitStatus), 0);
  EXPECT_TRUE(fileText("stdout") == large) << "the log has it too";
}

TEST_F(MonitorClient, HoldsASessionsOutputUntilSomebodyTakesIt) {
  // More than all buffers on the way can hold, so that the program itself has to wait.
  const auto monitor = run(Monitor::start(session("head -c 20000000 /dev/zero | tr '\\0' 'y'; exit 4")));
  (void)run(monitor->created());
  auto early = async::withTimeout(300ms, monitor->exited());
  EXPECT_EQ(failureOf(std::move(early)).code(), Code::Timeout);
  const auto attachment = run(monitor->attach(Attachment::Ends::Both));
  const std::string heard = run(readToEnd(attachment.get()));
  EXPECT_EQ(std::count(heard.begin(), heard.end(), 'y'), 20'000'000);
  EXPECT_EQ(WEXITSTATUS(*run(monitor->exited()).waitStatus), 4);
}

TEST_F(MonitorClient, HoldsBackTheEndOfAShortSession) {
  const auto monitor = run(Monitor::start(session("echo quick")));
  (void)run(monitor->created());
  auto early = async::withTimeout(300ms, monitor->exited());
  EXPECT_EQ(failureOf(std::move(early)).code(), Code::Timeout) << "nobody has seen its output yet";
  const auto attachment = run(monitor->attach(Attachment::Ends::Both));
  EXPECT_EQ(run(readToEnd(attachment.get())), "1:quick\n");
  EXPECT_EQ(WEXITSTATUS(*run(monitor->exited()).waitStatus), 0);
}

TEST_F(MonitorClient, WhoOnlySendsInputTakesNothingOfASessionsOutput) {
  MonitorCommand wanted = session("read line; echo heard $line; exit 6");
  wanted.openStdin = true;
  const auto monitor = run(Monitor::start(wanted));
  (void)run(monitor->created());
  const auto input = run(monitor->attach(Attachment::Ends::Input));
  auto send = [](Attachment* to) -> async::Task<Result<bool>> {
    std::string line = "you\n";
    CO_TRY_VOID(co_await to->writeStdin(std::move(line)));
    co_return true;
  };
  (void)run(send(input.get()));
  auto early = async::withTimeout(300ms, monitor->exited());
  EXPECT_EQ(failureOf(std::move(early)).code(), Code::Timeout) << "nobody has seen its output yet";
  const auto output = run(monitor->attach(Attachment::Ends::Both));
  EXPECT_EQ(run(readToEnd(output.get())), "1:heard you\n");
  EXPECT_EQ(run(readToEnd(input.get())), "") << "it only learns of the end";
  EXPECT_EQ(WEXITSTATUS(*run(monitor->exited()).waitStatus), 6);
}

TEST_F(MonitorClient, ASlowReaderNeverStopsTheContainer) {
  const auto monitor = run(Monitor::start(command("sleep 0.3; head -c 30000000 /dev/zero")));
  (void)run(monitor->created());
  const auto slow = run(monitor->attach(Attachment::Ends::Both));
  EXPECT_EQ(WEXITSTATUS(*run(monitor->exited()).waitStatus), 0) << "it ends although nobody reads";
  const std::string heard = run(readToEnd(slow.get()));
  EXPECT_NE(heard.find("bytes were left out here"), std::string::npos);
  off_t logged = 0;
  for (const char* name : {"/stdout", "/stdout.1", "/stdout.2"}) {
    logged += expectValue(kernel::statAt(kernel::workingDirectory(), root_ + name)).st_size;
  }
  EXPECT_EQ(logged, 30'000'000) << "the log has it all";
}

TEST_F(MonitorClient, IgnoresRequestsToStop) {
  const auto monitor = run(Monitor::start(command("sleep 0.4; exit 3")));
  (void)run(monitor->created());
  const std::string record = kernel::readFile(directory_ + "/monitor").value_or("");
  const auto process = expectValue(kernel::Process::open(std::stoi(record)));
  for (const int number : {SIGTERM, SIGHUP, SIGINT, SIGUSR1}) EXPECT_TRUE(process.signal(number));
  EXPECT_EQ(WEXITSTATUS(*run(monitor->exited()).waitStatus), 3);
}

TEST_F(MonitorClient, NoticesThatTheMonitorWasKilled) {
  const auto monitor = run(Monitor::start(command("sleep 0.5; exit 3")));
  const kernel::ProcessId init = run(monitor->created());
  EXPECT_TRUE(monitor->abandon());
  EXPECT_TRUE(kernel::isAlive(init)) << "the container goes on without its monitor";
  const ExitRecord record = run(monitor->exited());
  EXPECT_FALSE(record.waitStatus);
}

TEST_F(MonitorClient, AContainerHasNotEndedBecauseTheHostHasNoDescriptorLeft) {
  const auto monitor = run(Monitor::start(command("sleep 2; exit 3")));
  const kernel::ProcessId init = run(monitor->created());
  EXPECT_TRUE(monitor->abandon());
  {
    const tests::WithoutDescriptors none;
    auto early = async::withTimeout(200ms, monitor->exited());
    EXPECT_EQ(failureOf(std::move(early)).code(), Code::Timeout);
  }
  EXPECT_TRUE(kernel::isRunning(init.pid));
  EXPECT_FALSE(run(monitor->exited()).waitStatus);
  EXPECT_FALSE(kernel::isRunning(init.pid));
}

TEST_F(MonitorClient, AFirstProcessIsNotMissingBecauseTheHostHasNoDescriptorLeft) {
  const auto first = run(Monitor::start(command("sleep 0.5; exit 3")));
  const kernel::ProcessId init = run(first->created());
  EXPECT_TRUE(kernel::unlink(directory_ + "/monitor.sock"));
  const auto found = run(Monitor::find(directory_));
  {
    const tests::WithoutDescriptors none;
    auto early = async::withTimeout(200ms, found->created());
    EXPECT_EQ(failureOf(std::move(early)).code(), Code::Timeout);
  }
  EXPECT_EQ(run(found->created()), init);
}

TEST_F(MonitorClient, TellsTheStatusThatAMonitorRecordsAfterItsConnectionIsLost) {
  const auto first = run(Monitor::start(command("sleep 0.5; exit 5")));
  (void)run(first->created());
  EXPECT_TRUE(kernel::unlink(directory_ + "/monitor.sock"));
  const auto found = run(Monitor::find(directory_));
  const ExitRecord record = run(found->exited());
  ASSERT_TRUE(record.waitStatus);
  EXPECT_EQ(WEXITSTATUS(*record.waitStatus), 5);
}

TEST_F(MonitorClient, SurvivesADirectoryNameLongerThanASocketPath) {
  const std::string deep = root_ + "/" + std::string(200, 'n');
  ASSERT_EQ(::mkdir(deep.c_str(), 0700), 0);
  MonitorCommand wanted = command("exit 9");
  wanted.directory = deep;
  const auto monitor = run(Monitor::start(wanted));
  EXPECT_EQ(WEXITSTATUS(*run(monitor->exited()).waitStatus), 9);
}

}  // namespace
}  // namespace gantry::agent
