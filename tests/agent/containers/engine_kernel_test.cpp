// The engine with real parts: gantry-monitor, OCI runtimes, overlayfs. Needs root and a static busybox.
#include <sys/stat.h>
#include <unistd.h>
#include <csignal>

#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "agent/containers/engine.hpp"
#include "async/run.hpp"
#include "isolators/cgroups/cgroups.hpp"
#include "isolators/filesystem/filesystem.hpp"
#include "isolators/namespaces/namespaces.hpp"
#include "isolators/volumes/volumes.hpp"
#include "kernel/mount_info.hpp"
#include "tests/fakes/containers.hpp"

namespace gantry::agent {
namespace {

using isolators::ContainerRequest;
using isolators::Volume;

constexpr const char* kBusybox = "/bin/busybox";
// ctest runs several of these at once, each in a process of its own.
const std::string kCgroupsRoot = fmt::format("gantry-engine-test-{}", ::getpid());
constexpr const char* kSandbox = "/mnt/mesos/sandbox";

ContainerId webId() {
  return *ContainerId::parse("web");
}

ContainerRequest shell(const std::string& script) {
  ContainerRequest request(webId());
  request.image = "example.com/busybox";
  request.command.value = script;
  return request;
}

class EngineOnKernel : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    if (!kernel::exists(GetParam())) GTEST_SKIP() << "needs " << GetParam();
    if (!kernel::exists(kBusybox)) GTEST_SKIP() << "needs busybox-static";
    std::string name = testing::TempDir() + "gantry-engine-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
    for (const char* made : {"/layer/bin", "/layer/etc", "/work/containers", "/run/containers"}) {
      std::filesystem::create_directories(directory_ + made);
    }
    std::filesystem::copy_file(kBusybox, directory_ + "/layer/bin/busybox");
    for (const char* applet :
         {"sh", "sleep", "cat", "id", "ls", "mount", "df", "readlink", "hostname", "grep", "touch"}) {
      std::filesystem::create_symlink("busybox", directory_ + "/layer/bin/" + applet);
    }
    std::ofstream(directory_ + "/layer/etc/passwd") << "root:x:0:0::/root:/bin/sh\nweb:x:77:78::/srv:/bin/sh\n";
    images_.image.configJson =
        R"({"architecture":"amd64","os":"linux","config":{"Env":["FROM=image"],"Cmd":["/bin/sh","-c","echo default"]},
            "rootfs":{"type":"layers","diff_ids":[]}})";
    const oci::Digest digest = *oci::Digest::parse("sha256:" + std::string(64, '0'));
    images_.image.manifestDigest = digest;
    images_.image.configDigest = digest;
    images_.image.layers.push_back(
        {.chainId = digest, .diffId = digest, .digest = digest, .directory = directory_ + "/layer"});
    start();
  }
  void TearDown() override {
    if (directory_.empty()) return;
    stop();
    for (const kernel::MountEntry& mount : *kernel::readMountInfo()) {
      EXPECT_FALSE(mount.mountPoint.starts_with(directory_)) << "left: " << mount.mountPoint;
    }
    std::filesystem::remove_all(directory_);
    for (const auto& hierarchy : std::filesystem::directory_iterator("/sys/fs/cgroup")) {
      std::error_code isNone;
      std::filesystem::remove(hierarchy.path() / kCgroupsRoot, isNone);
    }
  }

  void start() {
    auto opened = state::Database::open(directory_ + "/state.db");
    ASSERT_TRUE(opened) << opened.error().message();
    store_ = std::make_unique<state::Store>(std::move(opened->database), opened->contents.savedStates,
                                            loop_.get_executor(), pool_);
    std::vector<std::unique_ptr<isolators::Isolator>> list;
    list.push_back(std::make_unique<isolators::FilesystemIsolator>(kSandbox, directory_ + "/run/containers", pool_));
    list.push_back(std::make_unique<isolators::NamespacesIsolator>(isolators::NamespaceSettings()));
    list.push_back(std::make_unique<isolators::VolumesIsolator>(kSandbox));
    auto cgroups = isolators::CgroupHost::detect();
    ASSERT_TRUE(cgroups) << cgroups.error().message();
    isolators::CgroupSettings cgroupSettings;
    cgroupSettings.root = kCgroupsRoot;
    list.push_back(std::make_unique<isolators::CgroupsIsolator>(*std::move(cgroups), std::move(cgroupSettings)));
    chain_ = std::make_unique<IsolatorChain>(std::move(list));
    engine_ = std::make_unique<Engine>(EngineParts{.executor = loop_.get_executor(),
                                                   .settings = settings(),
                                                   .store = *store_,
                                                   .images = images_,
                                                   .runtime = runtime(),
                                                   .monitors = monitors_,
                                                   .isolators = *chain_,
                                                   .pool = pool_});
    ASSERT_TRUE(run(engine_->recover(std::move(opened->contents), opened->setAside.has_value())));
  }
  void stop() {
    run(engine_->stop());
    engine_.reset();
    store_.reset();
    chain_.reset();
  }
  EngineSettings settings() const {
    return {.workDirectory = directory_ + "/work",
            .runtimeDirectory = directory_ + "/run",
            .cgroupsRoot = kCgroupsRoot,
            .sandboxDirectory = kSandbox,
            .monitorProgram = GANTRY_MONITOR,
            .runtimeProgram = GetParam(),
            .runtimeRoot = directory_ + "/run/runtime"};
  }
  OciRuntime& runtime() {
    if (!runtime_) runtime_ = std::make_unique<RuntimeProgram>(GetParam(), directory_ + "/run/runtime");
    return *runtime_;
  }

  template <typename T>
  T run(async::Task<T> work) {
    return async::runUntilDone(loop_, std::move(work));
  }
  void run(async::Task<> work) { async::runUntilDone(loop_, std::move(work)); }

  // What the program of `request` wrote, after it exited with `status`.
  std::string outputOf(ContainerRequest request, int status = 0) {
    const auto launched = run(engine_->launch(std::move(request)));
    EXPECT_TRUE(launched) << launched.error().message();
    if (!launched) return {};
    const auto ended = run(engine_->wait(webId()));
    EXPECT_TRUE(ended) << ended.error().message();
    EXPECT_EQ(ended->waitStatus, status << 8) << ended->message;
    const auto out = kernel::readFile(directory_ + "/work/containers/web/sandbox/stdout");
    const auto err = kernel::readFile(directory_ + "/work/containers/web/sandbox/stderr");
    EXPECT_TRUE(run(engine_->remove(webId())));
    return (out ? *out : "") + (err ? *err : "");
  }

  std::string output() const {
    const auto out = kernel::readFile(directory_ + "/work/containers/web/sandbox/stdout");
    return out ? *out : "";
  }
  void awaitOutput(const std::string& wanted) {
    for (int i = 0; i < 500 && output() != wanted; ++i) run(pause());
    ASSERT_EQ(output(), wanted);
  }
  static async::Task<> pause() { ignore(co_await async::sleep(std::chrono::milliseconds(10)), "nobody cancels it"); }

  // The output of a session that runs `script` and exits with `status`.
  std::string sessionIn(const std::string& script, int status) {
    SessionRequest session(*ContainerId::parse("web.s1"));
    session.command.value = script;
    const auto launched = run(engine_->launchSession(session));
    EXPECT_TRUE(launched) << launched.error().message();
    if (!launched) return {};
    auto attachment = run(engine_->attach(session.id, Attachment::Ends::Both));
    EXPECT_TRUE(attachment) << attachment.error().message();
    std::string output;
    while (attachment) {
      const auto chunk = run((*attachment)->read());
      if (!chunk || !*chunk) break;
      output += (*chunk)->data;
    }
    const auto ended = run(engine_->wait(session.id));
    EXPECT_TRUE(ended);
    EXPECT_EQ(ended->waitStatus, status << 8) << ended->message;
    EXPECT_TRUE(run(engine_->remove(session.id)));
    return output;
  }

  std::string directory_;
  async::Loop loop_;
  async::WorkerPool pool_;
  fakes::Images images_{std::make_shared<fakes::Script>()};
  MonitorPrograms monitors_;
  std::unique_ptr<OciRuntime> runtime_;
  std::unique_ptr<state::Store> store_;
  std::unique_ptr<IsolatorChain> chain_;
  std::unique_ptr<Engine> engine_;
};

TEST_P(EngineOnKernel, RunsTheImagesOwnCommand) {
  ContainerRequest request = shell("");
  request.command = {.shell = false};
  EXPECT_EQ(outputOf(request), "default\n");
}

TEST_P(EngineOnKernel, GivesUserEnvironmentDirectoryAndExitStatus) {
  ContainerRequest request = shell("id -u; id -g; echo $FROM $WITH $HOME $HOSTNAME; pwd; touch here; exit 3");
  request.command.environment = {{"WITH", "request"}};
  request.command.user = "web";
  EXPECT_EQ(outputOf(request, 3), "77\n78\nimage request /srv web\n/mnt/mesos/sandbox\n");
}

TEST_P(EngineOnKernel, AUserCanOpenItsOutputByName) {
  ContainerRequest request = shell("echo out > /dev/stdout; echo err > /dev/stderr");
  request.command.user = "web";
  EXPECT_EQ(outputOf(request), "out\nerr\n");
}

TEST_P(EngineOnKernel, WhatItWritesIsNotReachableForTheHostsUsers) {
  ASSERT_TRUE(run(engine_->launch(shell("sleep 1000"))));
  for (const char* directory : {"/work/containers/web", "/run/containers/web"}) {
    struct stat status{};
    ASSERT_EQ(stat((directory_ + directory).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0700U) << directory;
  }
  ASSERT_TRUE(run(engine_->kill(webId(), SIGKILL)));
  ASSERT_TRUE(run(engine_->wait(webId())));
}

TEST_P(EngineOnKernel, WritesGoToTheContainersOwnLayer) {
  EXPECT_EQ(outputOf(shell("echo x > /etc/new; cat /etc/new")), "x\n");
  EXPECT_FALSE(kernel::exists(directory_ + "/layer/etc/new"));
}

TEST_P(EngineOnKernel, AReadOnlyRootFileSystemIsSo) {
  ContainerRequest request = shell("touch /x 2>/dev/null || echo no; touch here && echo yes");
  request.security.readOnlyRootfs = true;
  EXPECT_EQ(outputOf(request), "no\nyes\n");
}

TEST_P(EngineOnKernel, HasNamespacesOfItsOwn) {
  std::string host;
  std::string script;
  for (const char* name : {"pid", "ipc", "uts", "mnt", "cgroup"}) {
    host += *kernel::readLink(std::string("/proc/self/ns/") + name) + "\n";
    script += std::string("readlink /proc/self/ns/") + name + ";";
  }
  const std::string own = outputOf(shell(script));
  std::istringstream ours(host);
  std::istringstream theirs(own);
  std::string a;
  std::string b;
  while (std::getline(ours, a) && std::getline(theirs, b)) EXPECT_NE(a, b);
  ContainerRequest sharing = shell("readlink /proc/self/ns/ipc");
  sharing.security.shareIpcNamespace = true;
  EXPECT_EQ(outputOf(sharing), *kernel::readLink("/proc/self/ns/ipc") + "\n");
}

TEST_P(EngineOnKernel, SharedMemoryHasTheSizeThatIsAskedFor) {
  ContainerRequest request = shell("df -k /dev/shm | grep /dev/shm");
  request.shmSize = Bytes::mebi(3);
  EXPECT_NE(outputOf(request).find(" 3072 "), std::string::npos);
}

TEST_P(EngineOnKernel, MountsVolumes) {
  std::filesystem::create_directory(directory_ + "/data");
  std::ofstream(directory_ + "/data/file") << "from the host\n";
  ContainerRequest request = shell(
      "cat /data/file; touch /data/x 2>/dev/null || echo read-only; echo own > /scratch/f; cat scratch-source/f;"
      "echo rel > inside/g; cat inside/g");
  request.volumes = {
      {.source = Volume::Source::HostPath, .path = directory_ + "/data", .containerPath = "/data", .readOnly = true},
      {.source = Volume::Source::SandboxPath, .path = "scratch-source", .containerPath = "/scratch"},
      {.source = Volume::Source::HostPath, .path = directory_ + "/data", .containerPath = "inside"}};
  EXPECT_EQ(outputOf(request), "from the host\nread-only\nown\nrel\n");
  EXPECT_TRUE(kernel::exists(directory_ + "/data/g"));
}

TEST_P(EngineOnKernel, AMissingCommandIsALaunchFailureInTheRuntimesWords) {
  ContainerRequest request = shell("");
  request.command = {.shell = false, .value = "no-such-program"};
  const auto launched = run(engine_->launch(request));
  ASSERT_FALSE(launched);
  EXPECT_NE(launched.error().message().find("executable file not found"), std::string::npos)
      << launched.error().message();
  EXPECT_FALSE(kernel::exists(directory_ + "/work/containers/web"));
  EXPECT_FALSE(kernel::exists(directory_ + "/run/containers/web"));
}

TEST_P(EngineOnKernel, WithoutAnImageItHasTheHostsFiles) {
  ContainerRequest request = shell("pwd; cat /etc/hostname; echo $MESOS_SANDBOX; touch file");
  request.image.reset();
  const std::string sandbox = directory_ + "/work/containers/web/sandbox";
  const auto hostname = kernel::readFile("/etc/hostname");
  EXPECT_EQ(outputOf(request), sandbox + "\n" + (hostname ? *hostname : "") + sandbox + "\n");
}

TEST_P(EngineOnKernel, ASessionRunsInTheContainer) {
  ASSERT_TRUE(run(engine_->launch(shell("echo in the container > /mark; sleep 1000"))));
  EXPECT_EQ(sessionIn("cat /mark; exit 7", 7), "in the container\n");
  ASSERT_TRUE(run(engine_->kill(webId(), SIGKILL)));
  ASSERT_TRUE(run(engine_->wait(webId())));
}

TEST_P(EngineOnKernel, ShortSessionsLoseNeitherOutputNorStatus) {
  ASSERT_TRUE(run(engine_->launch(shell("sleep 1000"))));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(sessionIn("echo " + std::to_string(i), 0), std::to_string(i) + "\n");
  ASSERT_TRUE(run(engine_->kill(webId(), SIGKILL)));
  ASSERT_TRUE(run(engine_->wait(webId())));
}

TEST_P(EngineOnKernel, GoesOnAfterARestartOfTheAgent) {
  ASSERT_TRUE(run(engine_->launch(shell("trap 'exit 5' TERM; while :; do sleep 0.05; done"))));
  const pid_t pid = engine_->status(webId())->pid;
  stop();
  start();
  EXPECT_EQ(engine_->status(webId())->phase, Phase::Running);
  ASSERT_EQ(::kill(pid, SIGTERM), 0);
  const auto ended = run(engine_->wait(webId()));
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->message, "exited with status 5");
}

TEST_P(EngineOnKernel, AsksAProgramWithoutAHandlerToEndAsIfItWereNotProcessOne) {
  // Only after its output: until the program is there the signal finds the runtime's own process, and runc's has a
  // handler.
  ASSERT_TRUE(run(engine_->launch(shell("echo begin; exec sleep 1000"))));
  awaitOutput("begin\n");
  ASSERT_TRUE(run(engine_->askToEnd(webId())));
  const auto ended = run(engine_->wait(webId()));
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->waitStatus, SIGTERM);
  EXPECT_EQ(ended->message, "was killed by SIGTERM (15), as requested");
}

TEST_P(EngineOnKernel, AShellThatIsAskedToEndDoesNotGoOnWithItsNextCommand) {
  ASSERT_TRUE(run(engine_->launch(shell("echo begin; sleep 1000; echo next"))));
  awaitOutput("begin\n");
  ASSERT_TRUE(run(engine_->askToEnd(webId())));
  ASSERT_TRUE(run(engine_->askToEnd(webId()))) << "a second time is harmless";
  const auto ended = run(engine_->wait(webId()));
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->waitStatus, SIGTERM);
  EXPECT_EQ(output(), "begin\n");
}

TEST_P(EngineOnKernel, AChildMayTakeItsTimeToEnd) {
  ASSERT_TRUE(run(engine_->launch(shell(
      "sh -c 'trap \"sleep 0.2; echo saved; exit\" TERM; echo begin; while :; do sleep 0.02; done'; echo next"))));
  awaitOutput("begin\n");
  ASSERT_TRUE(run(engine_->askToEnd(webId())));
  const auto ended = run(engine_->wait(webId()));
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->waitStatus, SIGTERM);
  EXPECT_EQ(output(), "begin\nsaved\n");
}

TEST_P(EngineOnKernel, AProgramWithAHandlerEndsAsItLikes) {
  ASSERT_TRUE(run(engine_->launch(shell("trap 'exit 5' TERM; echo begin; while :; do sleep 0.02; done"))));
  awaitOutput("begin\n");
  stop();
  start();
  ASSERT_TRUE(run(engine_->askToEnd(webId())));
  const auto ended = run(engine_->wait(webId()));
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->message, "exited with status 5 after SIGTERM was requested");
}

TEST_P(EngineOnKernel, AProgramThatBlocksTheSignalGetsItAndItsGrace) {
  std::filesystem::copy_file(AWAITS_SIGTERM, directory_ + "/layer/bin/awaits_sigterm");
  for (const std::string how : {"signalfd", "sigwait"}) {
    ASSERT_TRUE(run(engine_->launch(shell("exec awaits_sigterm " + how))));
    awaitOutput("begin\n");
    ASSERT_TRUE(run(engine_->askToEnd(webId())));
    const auto ended = run(engine_->wait(webId()));
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->message, "exited with status 5 after SIGTERM was requested") << how;
    EXPECT_EQ(output(), "begin\nsaved\n") << how;
    ASSERT_TRUE(run(engine_->remove(webId())));
  }
}

TEST_P(EngineOnKernel, OneThatDoesNotEndIsKilled) {
  ASSERT_TRUE(run(engine_->launch(shell("trap '' TERM; echo begin; sleep 1000 & wait"))));
  awaitOutput("begin\n");
  ASSERT_TRUE(run(engine_->askToEnd(webId())));
  EXPECT_EQ(engine_->status(webId())->phase, Phase::Running);
  ASSERT_TRUE(run(engine_->kill(webId(), SIGKILL)));
  const auto ended = run(engine_->wait(webId()));
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->waitStatus, SIGKILL);
}

TEST_P(EngineOnKernel, ASandboxThatWasGivenStays) {
  ContainerRequest request = shell("echo kept > file");
  request.sandbox = directory_ + "/given";
  std::filesystem::create_directories(*request.sandbox);
  ASSERT_TRUE(run(engine_->launch(request)));
  ASSERT_TRUE(run(engine_->wait(webId())));
  ASSERT_TRUE(run(engine_->remove(webId())));
  EXPECT_EQ(*kernel::readFile(*request.sandbox + "/file"), "kept\n");
  EXPECT_TRUE(kernel::exists(*request.sandbox + "/stdout"));
  EXPECT_FALSE(kernel::exists(directory_ + "/work/containers/web"));
}

TEST_P(EngineOnKernel, TellsTheExitStatusOfOneThatEndedMeanwhile) {
  ASSERT_TRUE(run(engine_->launch(shell("sleep 0.2; exit 6"))));
  stop();
  usleep(600'000);
  start();
  const auto ended = run(engine_->wait(webId()));
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->message, "exited with status 6");
}

TEST_P(EngineOnKernel, StopsAContainerWhoseMonitorIsKilled) {
  ASSERT_TRUE(run(engine_->launch(shell("sleep 1000"))));
  const auto monitor = readProcessFile(directory_ + "/run/containers/web/monitor");
  ASSERT_TRUE(monitor);
  ASSERT_EQ(::kill(monitor->pid, SIGKILL), 0);
  const auto ended = run(engine_->wait(webId()));
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->message, "its monitor was killed, and so it was stopped");
}

// Ours, and the one that others are measured against.
INSTANTIATE_TEST_SUITE_P(Runtimes, EngineOnKernel, testing::Values(GANTRY_RUNTIME, "/usr/sbin/runc"),
                         [](const auto& runtime) {
                           const std::string path = runtime.param;
                           return path.ends_with("runc") ? std::string("Runc") : std::string("Gantry");
                         });

}  // namespace
}  // namespace gantry::agent
