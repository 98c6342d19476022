// Containers from request to gone: the one engine below the HTTP API, the CLI and (later) the Mesos link.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "async/task.hpp"
#include "isolators/isolator.hpp"
#include "isolators/request.hpp"

namespace gantry::agent {

// The legal changes are one table in phase.cpp; anything else is a bug that aborts.
enum class Phase { Starting, Provisioning, Preparing, Creating, Running, Stopping, Exited };
std::string_view toString(Phase phase);

using Clock = std::chrono::system_clock;

// How a container ended.
struct Termination {
  // Raw wait status as waitpid spells it (exit code 1 is 256); unset when the program never ran or nobody saw it end.
  std::optional<int> waitStatus;
  // Mesos' task state and reason names, e.g. "TASK_FAILED", "REASON_CONTAINER_LIMITATION_MEMORY"; state is set only
  // when somebody other than the program itself ended it.
  std::optional<std::string> state;
  std::optional<std::string> reason;
  // One sentence that names the cause: "exited with status 1", "the memory limit of 64MiB was exceeded".
  std::string message;
};

// Everything there is to say about one container at one moment.
struct ContainerStatus {
  explicit ContainerStatus(isolators::ContainerPtr facts) : container(std::move(facts)) {}

  isolators::ContainerPtr container;
  Phase phase = Phase::Starting;
  Clock::time_point created;
  std::optional<Clock::time_point> started;
  std::optional<Clock::time_point> finished;
  // The first process, as the host sees it; 0 when there is none.
  pid_t pid = 0;
  std::vector<isolators::NetworkStatus> networks;
  std::optional<Termination> termination;
  std::string imageDigest;
};

// A program run inside a running container (a Mesos "debug container", docker's exec).
struct SessionRequest {
  explicit SessionRequest(ContainerId sessionId) : id(std::move(sessionId)) {}

  ContainerId id;  // nested: its parent is the container to enter
  isolators::Command command;
  bool terminal = false;
  std::uint16_t terminalRows = 0;
  std::uint16_t terminalColumns = 0;
};

// One end of a container's standard streams. Destroying it detaches.
class Attachment {
 public:
  // What it takes part in. A session's output is held for, and goes at the pace of, one that takes it.
  enum class Ends { Both, Input };
  enum class Stream { Stdout, Stderr };
  struct Chunk {
    Stream stream;
    std::string data;
  };

  virtual ~Attachment() = default;
  // Nothing at the end of output; with the input alone, when the container has ended.
  virtual async::Task<Result<std::optional<Chunk>>> read() = 0;
  // Waits while the container does not read.
  virtual async::Task<Result<void>> writeStdin(std::string data) = 0;
  virtual async::Task<Result<void>> closeStdin() = 0;
  virtual async::Task<Result<void>> resize(std::uint16_t rows, std::uint16_t columns) = 0;
};

enum class LaunchOutcome { Launched, AlreadyLaunched };

// Only used on the agent's thread.
class ContainerManager {
 public:
  virtual ~ContainerManager() = default;

  // Completes when the program was released to run. AlreadyLaunched when a container with this id and an equal request
  // exists; AlreadyExists when its request differs. InvalidArgument and Unsupported name the field; nothing was
  // touched. Any other failure left nothing behind. Cancelling the caller does not undo the launch.
  virtual async::Task<Result<LaunchOutcome>> launch(isolators::ContainerRequest request) = 0;
  // Starts a program in the running container `request.id.parent()`. Its output is held until it is attached. How it
  // ended can be asked until its container, or it, is removed, or many others have ended after it.
  virtual async::Task<Result<void>> launchSession(SessionRequest request) = 0;
  // Completes when the container or session has ended and was cleaned up. NotFound when unknown.
  virtual async::Task<Result<Termination>> wait(ContainerId id) = 0;
  // Sends a signal to the first process; before it exists the launch is given up. NotFound when unknown; success when
  // it has already ended.
  virtual async::Task<Result<void>> kill(ContainerId id, int signal) = 0;
  // Asks all processes of a container to end, by SIGTERM, and completes when they were asked. The first one is process
  // 1 of its namespace, for which the kernel drops a SIGTERM that it neither handles nor blocks: it ends as soon as the
  // others have, then, and is reported as ended by SIGTERM. Before there is one the launch is given up. Errors as
  // kill's.
  virtual async::Task<Result<void>> askToEnd(ContainerId id) = 0;
  // Forgets an ended container and deletes its sandbox, but for one that the request gave it. Busy while it runs;
  // NotFound when unknown.
  virtual async::Task<Result<void>> remove(ContainerId id) = 0;
  virtual async::Task<Result<std::unique_ptr<Attachment>>> attach(ContainerId id, Attachment::Ends ends) = 0;

  virtual std::vector<ContainerStatus> list() const = 0;
  virtual Result<ContainerStatus> status(const ContainerId& id) const = 0;
  virtual Result<isolators::Usage> usage(const ContainerId& id) = 0;
};

}  // namespace gantry::agent
